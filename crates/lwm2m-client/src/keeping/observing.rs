//! Observations that go on after a restart.

use crate::client::Client;
use crate::context::Context;
use crate::device_management::{Management, Request, parse_path};
use crate::ids::AccountId;
use crate::records::{self, KeptObservation, OBSERVATIONS, SEQUENCES};
use crate::reporting::{LEASE, Observation};
use alloc::vec::Vec;
use lwm2m_coap::{self as coap, Observer, Token};

/// An observation from before a restart.
pub(crate) struct Resuming {
    pub(crate) server: u16,
    pub(crate) token: Token,
    pub(crate) request: coap::Request,
}

impl Client {
    /// Keeps the observation that a request begins.
    pub(crate) fn keep_observation(
        &mut self,
        observer: Observer,
        observation: &mut Observation,
        request: &coap::Request,
    ) {
        if !self.cx.is_kept() {
            return;
        }
        let key = records::server_key(observation.server, observer.token.as_bytes());
        let value = KeptObservation::of(request);
        self.cx.promise(records::put(OBSERVATIONS, key, &value));
        // At once, or both would go on after a crash.
        for token in self.replaced(observer, observation, request) {
            let key = records::server_key(observation.server, token.as_bytes());
            self.cx.promise(records::remove(OBSERVATIONS, key));
        }
        // An observation that is refreshed goes on counting.
        let sequence = self.cx.link.coap().sequence(observer);
        observation.lease(&mut self.cx, observer.token, sequence.unwrap_or(0));
    }

    /// The tokens of observations of the same, which the new one ends.
    fn replaced(
        &mut self,
        observer: Observer,
        new: &Observation,
        request: &coap::Request,
    ) -> Vec<Token> {
        let before = self.reporting.alike(new).map(|it| it.token);
        let mut replaced: Vec<_> = before.into_iter().collect();
        if let Some(resuming) = self.keeping.resuming.get_mut(&new.account) {
            let same = resuming.extract_if(.., |it| is_same_target(&it.request, request));
            replaced.extend(same.map(|it| it.token));
        }
        replaced.retain(|token| *token != observer.token);
        replaced
    }

    /// A server will not confirm the registration from before a restart: its observations are over.
    pub(crate) fn forget_resuming(&mut self, account: AccountId) {
        for resuming in self.keeping.resuming.remove(&account).unwrap_or_default() {
            forget_observation(&mut self.cx, resuming.server, resuming.token);
        }
    }

    /// Goes on with the observations of a server that has confirmed the registration.
    pub(crate) fn resume_observations(&mut self, account: AccountId) {
        let peer = self.accounts.get(account).and_then(|account| account.peer);
        for resuming in self.keeping.resuming.remove(&account).unwrap_or_default() {
            let observer = peer.map(|peer| Observer { peer, token: resuming.token });
            if observer.is_some_and(|observer| self.reporting.has(observer)) {
                // The request was sent again, and begun anew.
                continue;
            }
            if observer.is_none_or(|it| self.resume(account, it, &resuming.request).is_none()) {
                forget_observation(&mut self.cx, resuming.server, resuming.token);
            }
        }
    }

    fn resume(
        &mut self,
        account: AccountId,
        observer: Observer,
        request: &coap::Request,
    ) -> Option<()> {
        let mut observation = self.observation(account, request)?;
        if self.reporting.alike(&observation).is_some() {
            // The server has begun it anew meanwhile.
            return None;
        }
        let key = (observation.server, observer.token);
        // The note of the last ones may have been lost.
        let limit = self.keeping.sequences.remove(&key).unwrap_or(LEASE);
        let (now, sequence) = (self.cx.now, limit.wrapping_add(LEASE));
        let begun = self.cx.link.coap().restore_observer(now, observer, request, sequence);
        begun.then(|| {
            observation.lease(&mut self.cx, observer.token, sequence);
            self.reporting.resume(&mut self.cx, &self.accounts, observer, observation);
        })
    }

    /// The observation that a request would begin now.
    fn observation(&mut self, id: AccountId, message: &coap::Request) -> Option<Observation> {
        let account = self.accounts.get(id)?;
        let (server, version) = (account.server(), account.version);
        let query = message.options.uri_query().filter(|it| !it.is_empty()).collect::<Vec<_>>();
        let path = parse_path(message).ok()?;
        let request = Request { account: id, server, version, path, query, message };
        let (cx, attributes) = (&mut self.cx, &mut self.reporting.attributes);
        let declined_formats = &self.declined_formats;
        let done = Management { cx, attributes, declined_formats }.handle(&request).ok()?;
        done.observation
    }
}

fn is_same_target(one: &coap::Request, other: &coap::Request) -> bool {
    one.code == other.code
        && one.options.uri_path().eq(other.options.uri_path())
        && one.options.uri_query().eq(other.options.uri_query())
        && one.payload == other.payload
}

/// Removes an observation that is over.
pub(crate) fn forget_observation(cx: &mut Context, server: u16, token: Token) {
    if cx.is_kept() {
        for table in [OBSERVATIONS, SEQUENCES] {
            cx.note(records::remove(table, records::server_key(server, token.as_bytes())));
        }
    }
}
