//! The commands of a bootstrap server (OMA LwM2M Transport 6.4.2).

use super::plan::Plan;
use super::{Open, Phase};
use crate::client::{Client, same};
use crate::dispatch::parse_path;
use crate::error::Refusal;
use crate::objects::{security, server};
use crate::operations::{bootstrap, format};
use alloc::string::ToString;
use lwm2m_coap::{Code, ExchangeId, PeerId, Request, Response};
use lwm2m_codec::link;
use lwm2m_core::{ContentFormat, Path};
use lwm2m_link::Identity;
use lwm2m_time::Instant;

/// An answer, and the accounts if it ends the bootstrap.
type Outcome = Result<(Response, Option<Plan>), Refusal>;

/// Whether a request is Bootstrap-Finish, or looks like it.
pub(crate) fn is_finish(request: &Request) -> bool {
    request.code == Code::POST && request.options.uri_path().eq([b"bs".as_slice()])
}

impl Client {
    /// Carries out a command, if it comes from the bootstrap server while it may send some;
    /// `false` if the request is none.
    pub(crate) fn handle_command(
        &mut self,
        now: Instant,
        exchange: ExchangeId,
        peer: PeerId,
        request: &Request,
    ) -> bool {
        let Some(state) = &self.bootstrap else { return false };
        let is_it = match state.has_session() {
            true => state.peer == Some(peer),
            false => {
                self.link.peer_address(peer).is_some_and(|it| same(it, state.account.address))
                    && self.link.identity(peer) == Some(&Identity::NoSec)
            }
        };
        if !is_it {
            return false;
        }
        if !state.is_open(self.version) {
            self.refuse(now, exchange, Refusal::Unauthorized);
            return true;
        }
        let own = state.path();
        self.open(peer);
        self.await_commands(now);
        let (response, plan) = match self.command(&own, request) {
            Ok(done) => done,
            Err(refusal) => (Response::new(refusal.code()).payload(refusal.to_string()), None),
        };
        // The server may have asked again meanwhile; then nobody waits for this.
        let _ = self.link.coap().respond(now, exchange, response);
        if let Some(plan) = plan {
            self.bootstrapped(now, plan);
        }
        true
    }

    /// Notes that the server has begun. The answer to the Bootstrap-Request is late or lost then,
    /// but its meaning is clear.
    fn open(&mut self, peer: PeerId) {
        let Some(state) = &mut self.bootstrap else { return };
        if state.peer.replace(peer).is_none() {
            self.link.hold(peer);
        }
        match &mut state.phase {
            Phase::Open(open) => {
                open.request.take().into_iter().for_each(|id| self.link.coap().cancel(id));
            }
            phase => {
                let before = bootstrap::instance(&self.store, security::ID, state.instance);
                *phase = Phase::Open(Open { request: None, before });
            }
        }
    }

    fn command(&mut self, own: &Path, request: &Request) -> Outcome {
        if is_finish(request) {
            return Ok(self.finish());
        }
        let path = parse_path(request)?;
        let link = Some(ContentFormat::LINK.0);
        let response = match request.code {
            Code::GET if request.options.accept() == link => self.bootstrap_discover(&path, own)?,
            Code::GET => self.bootstrap_read(&path, request.options.accept())?,
            Code::PUT => {
                let format = request.options.content_format();
                let payload = &request.payload;
                bootstrap::write(&mut self.store, &path, self.version, format, payload)?;
                Response::new(Code::CHANGED)
            }
            Code::DELETE => {
                bootstrap::delete(&mut self.store, &path, own)?;
                self.attributes.remove_below(&path);
                Response::new(Code::DELETED)
            }
            _ => return Err(Refusal::MethodNotAllowed),
        };
        Ok((response, None))
    }

    fn bootstrap_discover(&mut self, path: &Path, own: &Path) -> Result<Response, Refusal> {
        let links = bootstrap::discover(&self.store, path, self.version, own)?;
        let response = Response::new(Code::CONTENT).content_format(ContentFormat::LINK.0);
        Ok(response.payload(link::write(&links)))
    }

    fn bootstrap_read(&mut self, path: &Path, accept: Option<u16>) -> Result<Response, Refusal> {
        let node = bootstrap::read(&self.store, path, self.version)?;
        let format = format::choose(self.version, accept, &node)?;
        let payload = format::payload(format, path, &node)?;
        Ok(Response::new(Code::CONTENT).content_format(format.0).payload(payload))
    }

    /// Ends the bootstrap, if the accounts are consistent; the server may repair them.
    fn finish(&mut self) -> (Response, Option<Plan>) {
        let accounts = bootstrap::object(&self.store, security::ID);
        let settings = bootstrap::object(&self.store, server::ID);
        match self.plan(&accounts, &settings) {
            Ok(plan) => (Response::new(Code::CHANGED), Some(plan)),
            Err(reason) => (Response::new(Code::NOT_ACCEPTABLE).payload(reason.to_string()), None),
        }
    }
}
