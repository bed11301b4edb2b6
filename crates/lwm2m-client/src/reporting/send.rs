//! Send (OMA LwM2M Core 6.4.6): values that the device reports without being asked.

use super::Reporting;
use crate::account::{Account, Accounts, State};
use crate::context::Context;
use crate::error::{ErrorResponse, RegistrationError, SendError};
use crate::event::Event;
use crate::format;
use crate::ids::SendId;
use crate::objects::HIDDEN;
use crate::objects::read::{merged, read};
use crate::objects::store::Store;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use lwm2m_coap::{Code, FailReason, Request, RequestId, Response};
use lwm2m_codec::link;
use lwm2m_core::{ContentFormat, Node, Path, Version};

/// Values that are sent if they change: the server, the path, and the value before.
pub(crate) struct Watched(Vec<(u16, Path, Option<Node>)>);

impl Watched {
    /// The values of an object that accounts have sent when they change.
    pub(crate) fn of(object: u16, accounts: &Accounts, store: &Store) -> Self {
        let mut found = Vec::new();
        for account in accounts.iter() {
            let paths = account.config.send_on_change.iter();
            for path in paths.filter(|path| path.object_id() == Some(object)) {
                found.push((account.server(), *path, read(store, path).ok()));
            }
        }
        Self(found)
    }

    /// The paths whose values have changed, by server.
    pub(crate) fn changed(self, store: &Store) -> BTreeMap<u16, Vec<Path>> {
        let mut changed: BTreeMap<u16, Vec<Path>> = BTreeMap::new();
        for (server, path, old) in self.0 {
            let new = read(store, &path).ok();
            if new.is_some() && new != old {
                changed.entry(server).or_default().push(path);
            }
        }
        changed
    }
}

impl Reporting {
    /// Sends what lives at `paths`.
    pub(crate) fn send(
        &mut self,
        cx: &mut Context,
        account: &mut Account,
        paths: &[Path],
        format: Option<ContentFormat>,
    ) -> Result<SendId, SendError> {
        let server = account.server();
        let format = format_to_send(account.version, format)?;
        let known = known_instances(account).ok_or(SendError::NotRegistered(server))?;
        if account.settings(&cx.store).mute_send() {
            return Err(SendError::Muted(server));
        }
        let node = gather(&cx.store, &known, paths)?;
        let payload = lwm2m_codec::encode(format, &Path::ROOT, &node)
            .map_err(|_| SendError::Format(format))?;
        let request = Request::post().path(["dp"]).content_format(format.0).payload(payload);
        let id = account.request(cx, request).ok_or(SendError::NotSent)?;
        self.sends.insert(id, server);
        Ok(SendId(id))
    }

    /// Takes the answer to a Send; `false` if the request was another one.
    pub(crate) fn send_answered(
        &mut self,
        cx: &mut Context,
        id: RequestId,
        answer: &Result<Response, FailReason>,
    ) -> bool {
        let Some(server) = self.sends.remove(&id) else { return false };
        let confirmed = match answer {
            Ok(response) if response.code == Code::CHANGED => Ok(()),
            Ok(response) => Err(RegistrationError::Refused(ErrorResponse::of(response))),
            Err(reason) => Err(RegistrationError::NoAnswer(*reason)),
        };
        cx.event(Event::Sent { id: SendId(id), server, confirmed });
        true
    }
}

fn format_to_send(
    version: Version,
    format: Option<ContentFormat>,
) -> Result<ContentFormat, SendError> {
    let format = format.unwrap_or(ContentFormat::SENML_CBOR);
    let several = lwm2m_codec::supports(format, &Path::ROOT);
    match several && format::offers(version, format) {
        true => Ok(format),
        false => Err(SendError::Format(format)),
    }
}

/// The object instances that a server knows; `None` if it does not know the client.
fn known_instances(account: &Account) -> Option<BTreeSet<Path>> {
    let State::Registered(state) = &account.state else { return None };
    let links = link::parse(&state.known.links).ok()?;
    Some(links.iter().filter_map(link::Link::path).collect())
}

/// All values at the paths, as one tree, if all of their instances are `known`.
fn gather(store: &Store, known: &BTreeSet<Path>, paths: &[Path]) -> Result<Node, SendError> {
    let mut parts = Vec::new();
    for path in paths {
        if path.object_id().is_none_or(|id| HIDDEN.contains(&id)) {
            return Err(SendError::Unregistered(*path));
        }
        parts.push((path, read(store, path).map_err(|_| SendError::Unreadable(*path))?));
    }
    let node = merged(parts.iter().map(|(path, node)| (*path, node)));
    let leaves = node.leaves(&Path::ROOT);
    let unknown = leaves.iter().map(|(leaf, _)| leaf.prefix(2)).find(|it| !known.contains(it));
    match unknown {
        Some(instance) => Err(SendError::Unregistered(instance)),
        None if leaves.is_empty() => Err(SendError::NoValues),
        None => Ok(node),
    }
}
