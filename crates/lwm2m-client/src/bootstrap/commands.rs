//! The commands of a bootstrap server (OMA LwM2M Transport 6.4.2).

use super::plan::Plan;
use super::{Bootstrap, Open, Phase, await_commands, operations};
use crate::context::Context;
use crate::device_management::{is_finish, parse_path, write_block};
use crate::effect::Effect;
use crate::error::Refusal;
use crate::format;
use crate::objects::{security_ids as security, server};
use crate::transport::same_address;
use alloc::string::ToString;
use lwm2m_coap::{Code, ExchangeId, PeerId, Request, Response};
use lwm2m_codec::link;
use lwm2m_core::{ContentFormat, Path};
use lwm2m_link::Identity;

/// An answer, and the accounts if it ends the bootstrap.
type Outcome = Result<(Response, Option<Plan>), Refusal>;

impl Bootstrap {
    /// Carries out a command, if it comes from the bootstrap server while it may send some. Returns
    /// `false` if the request is not a bootstrap command.
    pub(crate) fn handle_command(
        &mut self,
        cx: &mut Context,
        exchange: ExchangeId,
        peer: PeerId,
        request: &Request,
    ) -> bool {
        let Some(state) = &self.server else { return false };
        let is_it = match state.has_session() {
            true => state.peer == Some(peer),
            false => {
                let address = cx.link.peer_address(peer);
                address.is_some_and(|it| same_address(it, state.account.address))
                    && cx.link.identity(peer) == Some(&Identity::NoSec)
            }
        };
        if !is_it {
            return false;
        }
        if !state.is_open(cx.version) {
            cx.refuse(exchange, Refusal::Unauthorized);
            return true;
        }
        let own = state.path();
        self.open(cx, peer);
        await_commands(cx);
        let (response, plan) = match self.command(cx, &own, request) {
            Ok(done) => done,
            Err(refusal) => (Response::new(refusal.code()).payload(refusal.to_string()), None),
        };
        cx.respond(exchange, response);
        if let Some(plan) = plan {
            self.finished(cx, plan);
        }
        true
    }

    /// Notes that the server has begun. The answer to the Bootstrap-Request is late or lost then,
    /// but its meaning is clear.
    fn open(&mut self, cx: &mut Context, peer: PeerId) {
        let Some(state) = &mut self.server else { return };
        if state.peer.replace(peer).is_none() {
            cx.link.hold(peer);
        }
        match &mut state.phase {
            Phase::Open(open) => {
                open.request.take().into_iter().for_each(|id| cx.link.coap().cancel(id));
            }
            phase => {
                let before = operations::instance(&cx.store, security::ID, state.instance);
                *phase = Phase::Open(Open { request: None, before });
            }
        }
    }

    fn command(&self, cx: &mut Context, own: &Path, request: &Request) -> Outcome {
        if request.options.uri_query().any(|it| !it.is_empty()) {
            // No command has parameters.
            return Err(Refusal::BadRequest);
        }
        if is_finish(request) {
            return Ok(self.finish(cx));
        }
        let path = parse_path(request)?;
        let link = Some(ContentFormat::LINK.0);
        let response = match request.code {
            Code::GET if request.options.accept() == link => discover(cx, &path, own)?,
            Code::GET => read(cx, &path, request.options.accept())?,
            Code::PUT if let Some(block) = request.streamed_block() => {
                // The bootstrap server is 0.
                match write_block(&mut cx.store, &path, 0, request, block)? {
                    true => Response::new(Code::CHANGED),
                    false => Response::new(Code::CONTINUE),
                }
            }
            Code::PUT => {
                let format = request.options.content_format();
                let payload = &request.payload;
                operations::write(&mut cx.store, &path, cx.version, format, payload)?;
                Response::new(Code::CHANGED)
            }
            Code::DELETE => {
                operations::delete(&mut cx.store, &path, own)?;
                cx.effect(Effect::Deleted(path));
                Response::new(Code::DELETED)
            }
            _ => return Err(Refusal::MethodNotAllowed),
        };
        Ok((response, None))
    }

    /// Ends the bootstrap, if the accounts are consistent; the server may repair them.
    fn finish(&self, cx: &mut Context) -> (Response, Option<Plan>) {
        let accounts = operations::object(&cx.store, security::ID);
        let settings = operations::object(&cx.store, server::ID);
        match self.plan(cx, &accounts, &settings) {
            Ok(plan) => (Response::new(Code::CHANGED), Some(plan)),
            Err(reason) => (Response::new(Code::NOT_ACCEPTABLE).payload(reason.to_string()), None),
        }
    }
}

fn discover(cx: &Context, path: &Path, own: &Path) -> Result<Response, Refusal> {
    let links = operations::discover(&cx.store, path, cx.version, own)?;
    let response = Response::new(Code::CONTENT).content_format(ContentFormat::LINK.0);
    Ok(response.payload(link::write(&links)))
}

fn read(cx: &Context, path: &Path, accept: Option<u16>) -> Result<Response, Refusal> {
    let node = operations::read(&cx.store, path, cx.version)?;
    let format = format::choose(cx.version, accept, &node)?;
    let payload = format::payload(format, path, &node)?;
    Ok(Response::new(Code::CONTENT).content_format(format.0).payload(payload))
}
