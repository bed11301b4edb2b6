//! Bootstrap-Pack-Request (OMA LwM2M Core 6.1.7.9, since 1.2): all accounts in one answer.

use super::plan::{Access, Plan, plan};
use super::{Bootstrap, Phase, operations};
use crate::context::Context;
use crate::error::{AccountsError, BootstrapError};
use crate::event::Event;
use crate::format;
use crate::objects::{security_ids as security, server};
use alloc::collections::BTreeMap;
use alloc::format as text;
use lwm2m_coap::{Code, FailReason, Request, Response};
use lwm2m_codec::link::Link;
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, Path, Resource, Value};

impl Bootstrap {
    pub(super) fn request_pack(&mut self, cx: &mut Context) {
        let Some(state) = &self.server else { return };
        let format = state.account.format.unwrap_or(ContentFormat::SENML_CBOR);
        let request = Request::get()
            .path(["bspack"])
            .query(&text!("ep={}", cx.endpoint_name))
            .query(&text!("acc={}", Link::to_path(&state.path())))
            .accept(format.0);
        match self.ask(cx, request) {
            Some(id) => self.set_phase(Phase::Packing(id)),
            None => self.failed(cx, BootstrapError::NotSent),
        }
    }

    /// Applies a pack; without a sound one, the server is asked for commands.
    pub(super) fn pack_answered(
        &mut self,
        cx: &mut Context,
        answer: &Result<Response, FailReason>,
    ) {
        let applied = match answer {
            Ok(response) if response.code == Code::CONTENT => self.apply_pack(cx, response),
            _ => None,
        };
        match applied {
            Some(plan) => self.finished(cx, plan),
            None => self.request_commands(cx),
        }
    }

    /// Replaces the objects by those of a pack, if the accounts in it are consistent.
    fn apply_pack(&self, cx: &mut Context, response: &Response) -> Option<Plan> {
        let spared = self.server.as_ref()?.path();
        let format = format::of_payload(cx.version, response.options.content_format()).ok()?;
        let definitions = cx.store.definitions();
        let node = lwm2m_codec::decode(format, &Path::ROOT, &response.payload, &definitions);
        let node = node.ok()?;
        let Node::Root(objects) = &node else { return None };
        let accounts = with_bootstrap_account(cx, objects, &spared)?;
        let plan = self.plan(cx, &accounts, objects.get(&server::ID)?).ok()?;
        operations::replace(&mut cx.store, node, &spared).ok()?;
        Some(plan)
    }

    /// The accounts that the objects describe, if they are consistent; the event tells if not.
    pub(super) fn plan(
        &self,
        cx: &mut Context,
        accounts: &Object,
        settings: &Object,
    ) -> Result<Plan, AccountsError> {
        let known = self.server.as_ref().map(|state| &state.account);
        let plan = plan(accounts, settings, &self.trust).and_then(|mut plan| {
            if let Some(Access { instance, target, .. }) = &mut plan.bootstrap
                && target.address.is_none()
            {
                // The application looks up no name of a bootstrap server: the address is that of
                // the account so far.
                let known = known.filter(|known| known.uri == target.uri);
                let known = known.ok_or(AccountsError::BootstrapName(*instance))?;
                target.address = Some(known.address);
            }
            Ok(plan)
        });
        plan.inspect_err(|&reason| cx.event(Event::AccountsRefused { reason }))
    }
}

/// The Security object of a pack, and in it the account of the bootstrap server as it is. A
/// pack cannot make it the account of another server.
fn with_bootstrap_account(
    cx: &Context,
    objects: &BTreeMap<u16, Object>,
    spared: &Path,
) -> Option<Object> {
    let instance = spared.instance_id()?;
    let mut security = objects.get(&security::ID)?.clone();
    let own = operations::instance(&cx.store, security::ID, instance)?;
    let replaced = security.instances.insert(instance, own);
    let same = |values: &ObjectInstance| {
        let flag = values.resources.get(&security::BOOTSTRAP);
        flag == Some(&Resource::Single(Value::Boolean(true)))
    };
    replaced.as_ref().is_none_or(same).then_some(security)
}
