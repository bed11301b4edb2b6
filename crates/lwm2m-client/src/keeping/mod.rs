//! What the client keeps: the records that follow from what servers do, and the answers that wait
//! until they are durable.
//!
//! | module | what |
//! |---|---|
//! | `instances` | object instances that servers made, wrote to or deleted |
//! | `sessions` | sessions of DTLS |
//! | `observing` | observations |
//! | `restoring` | a client that goes on from what was kept |

mod instances;
mod observing;
mod restoring;
mod sessions;

pub(crate) use observing::{Resuming, forget_observation};
pub use restoring::{Restore, Restored};

use crate::client::Client;
use crate::effect::Effect;
use crate::error::Refusal;
use crate::ids::AccountId;
use crate::records::{self, ATTRIBUTES};
use crate::reporting::Observation;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use instances::Touched;
use lwm2m_coap::{Code, ExchangeId, Observer, Request, Response, Token};
use lwm2m_core::Path;
use lwm2m_dtls::SessionFingerprint;
use lwm2m_link::{Input, Lsn, SessionId};

/// What waits until a write is durable.
#[derive(Debug)]
pub(crate) enum Held {
    Answer(Box<Answer>),
    /// The record numbers that a session may use.
    Limit(SessionId, u64),
}

/// An answer to a server, and the observation that begins with it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) exchange: ExchangeId,
    pub(crate) response: Response,
    pub(crate) observation: Option<(Observer, Observation)>,
}

/// What is in the store.
#[derive(Default)]
pub(crate) struct Keeping {
    /// The instances that servers have changed.
    instances: BTreeMap<(u16, u16), Touched>,
    attributes: BTreeSet<(u16, Path)>,
    sessions: BTreeMap<SessionFingerprint, u16>,
    /// The observations from before a restart, until their servers confirm the registrations.
    resuming: BTreeMap<AccountId, Vec<Resuming>>,
    /// Above the sequence numbers of their notifications, if there were many.
    sequences: BTreeMap<(u16, Token), u32>,
}

/// Whether a request asks for something that has to be kept.
pub(crate) fn asks_to_keep(request: &Request) -> bool {
    match request.code {
        Code::GET | Code::FETCH => request.options.observe() == Some(0),
        _ => true,
    }
}

impl Client {
    /// Refuses what would have to be kept while nothing can be.
    pub(crate) fn check_journal(&self, request: &Request) -> Result<(), Refusal> {
        let keeps = self.cx.is_kept() && asks_to_keep(request);
        (!keeps || self.cx.journal.can_promise()).then_some(()).ok_or(Refusal::Unavailable)
    }

    /// Answers a server when all is durable that was promised `since`.
    pub(crate) fn answer_when_kept(&mut self, since: Lsn, answer: Answer) {
        match self.cx.journal.promised() == since {
            true => self.answer(answer),
            false => _ = self.cx.journal.hold(since, Held::Answer(Box::new(answer))),
        }
    }

    fn answer(&mut self, answer: Answer) {
        let Answer { exchange, response, observation } = answer;
        // The exchange may be over: the server has asked again meanwhile.
        let is_success = response.code.is_success();
        let answered = self.cx.respond(exchange, response);
        let Some((observer, observation)) = observation else { return };
        match answered && is_success {
            true => self.reporting.begin(&mut self.cx, &self.accounts, observer, observation),
            false => forget_observation(&mut self.cx, observation.server, observer.token),
        }
    }

    /// Handles what the store has to tell.
    pub(crate) fn handle_progress(&mut self, input: &Input<'_>) {
        match input {
            Input::Written(lsn) => {
                self.cx.journal.written(*lsn);
                while let Some(held) = self.cx.journal.released() {
                    match held {
                        Held::Answer(answer) => self.answer(*answer),
                        Held::Limit(session, limit) => {
                            self.cx.link.limit_written(self.cx.now, session, limit);
                        }
                    }
                }
            }
            Input::WriteFailed(lsn) => {
                for held in self.cx.journal.failed(*lsn).collect::<Vec<_>>() {
                    // Of a session the link asks again.
                    if let Held::Answer(answer) = held {
                        let response = Response::new(Refusal::Unavailable.code())
                            .payload("the store of this device cannot be written; try again later");
                        self.answer(Answer { response, ..*answer });
                    }
                }
            }
            _ => {}
        }
    }

    /// Keeps what the effects of a request tell.
    pub(crate) fn keep_effects(&mut self) {
        if !self.cx.is_kept() {
            return;
        }
        let effects = core::mem::take(&mut self.cx.effects);
        for effect in &effects {
            match effect {
                Effect::Written(paths) => paths.iter().for_each(|path| self.keep_written(path)),
                Effect::Instances(path) => self.keep_instance(path),
                Effect::Attributes(account, path) => self.keep_attributes(*account, path),
                _ => {}
            }
        }
        self.cx.effects = effects;
    }

    fn keep_attributes(&mut self, account: AccountId, path: &Path) {
        let Some(server) = self.accounts.get(account).map(|account| account.server()) else {
            return;
        };
        let set = self.reporting.attributes.at(account, path);
        let key = records::attributes_key(server, path);
        let record = match set.is_empty() {
            true => {
                self.keeping.attributes.remove(&(server, *path));
                records::remove(ATTRIBUTES, key)
            }
            false => {
                self.keeping.attributes.insert((server, *path));
                let texts: Vec<String> = set.iter().map(|it| it.to_string()).collect();
                records::put(ATTRIBUTES, key, &texts)
            }
        };
        self.cx.promise(record);
    }

    /// Removes attributes from the store that are not set any more, because what they were at is gone.
    pub(super) fn forget_attributes(&mut self) {
        let (accounts, table) = (&self.accounts, &self.reporting.attributes);
        let is_set = |(server, path): &(u16, Path)| {
            accounts.account_id(*server).is_some_and(|id| !table.at(id, path).is_empty())
        };
        let gone: Vec<_> = self.keeping.attributes.extract_if(.., |it| !is_set(it)).collect();
        for (server, path) in gone {
            self.cx.promise(records::remove(ATTRIBUTES, records::attributes_key(server, &path)));
        }
    }

    /// Removes from the store what belongs to an account that is gone.
    pub(crate) fn forget_account(&mut self, server: u16) {
        if !self.cx.is_kept() {
            return;
        }
        self.forget_attributes();
        let sessions = self.keeping.sessions.iter().filter(|(_, of)| **of == server);
        let sessions: Vec<_> = sessions.map(|(fingerprint, _)| *fingerprint).collect();
        sessions.iter().for_each(|session| self.forget_session(session));
    }
}
