//! What the server keeps: the records that follow from what devices and the application do, and the
//! answers that wait until they are durable.

use super::Server;
use crate::command::CommandId;
use crate::devices::DeviceKey;
use crate::rd::Refusal;
use crate::records::{self, KeptRegistration};
use crate::registration::Registration;
use lwm2m_coap::{ExchangeId, Response};
use lwm2m_dtls::SessionId;
use lwm2m_link::{Input, Lsn, Record};
use lwm2m_time::Instant;

/// What waits until a write is durable.
#[derive(Debug)]
pub(super) enum Held {
    /// An answer to a device.
    Answer(HeldAnswer),
    /// The next step of a command.
    Command(CommandId),
    /// The record numbers that a session may use.
    Limit(SessionId, u64),
}

/// An answer to a device.
#[derive(Debug)]
pub(super) struct HeldAnswer {
    pub(super) exchange: ExchangeId,
    pub(super) response: Response,
    /// The device that has asked. The server asks it in turn only when it has its answer.
    pub(super) device: Option<DeviceKey>,
    /// Whether it has asked from another address, or in another session, than before.
    pub(super) moved: bool,
}

/// Whether a change is acknowledged only when it is durable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Promised,
    Noted,
}

impl Server {
    /// Sends an answer, and goes on with what waited for it.
    pub(super) fn answer(&mut self, now: Instant, answer: HeldAnswer) {
        // The exchange may be over: the device has asked again meanwhile.
        let _ = self.link.coap().respond(now, answer.exchange, answer.response);
        let Some(key) = answer.device else { return };
        if answer.moved {
            self.refresh_observations(now, key);
        }
        self.resume_observations(now, key);
        self.dispatch(now, key);
    }

    /// Handles what the store has to tell.
    pub(super) fn handle_progress(&mut self, now: Instant, input: &Input<'_>) {
        match input {
            Input::Written(lsn) => {
                self.journal.written(*lsn);
                while let Some(held) = self.journal.released() {
                    match held {
                        Held::Answer(answer) => self.answer(now, answer),
                        Held::Command(id) => self.advance_command(now, id),
                        Held::Limit(session, limit) => {
                            self.link.limit_written(now, session, limit);
                        }
                    }
                }
            }
            Input::WriteFailed(lsn) => {
                for held in self.journal.failed(*lsn).collect::<Vec<_>>() {
                    match held {
                        Held::Answer(answer) => {
                            let response = Refusal::NotKept.response();
                            self.answer(now, HeldAnswer { response, ..answer });
                        }
                        Held::Command(id) => self.fail_command(id),
                        // The link asks again.
                        Held::Limit(..) => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// Refuses what would have to be kept while nothing can be.
    pub(super) fn check_journal(&self) -> Result<(), Refusal> {
        self.journal.can_promise().then_some(()).ok_or(Refusal::NotKept)
    }

    /// Whether what is kept now can be expected to become durable.
    #[must_use]
    pub const fn can_promise(&self) -> bool {
        self.journal.can_promise()
    }

    /// Keeps records of the application, which shares the store: its tables are those from
    /// [`APPLICATION`](crate::records::APPLICATION) on. Returns the position that they are durable at;
    /// see [`Self::promised`]. They are not given back by [`Self::restore`].
    pub fn keep_for_application(&mut self, records: Vec<Record>) -> Lsn {
        for record in records {
            self.keep(Keep::Promised, record);
        }
        self.journal.promised()
    }

    /// As [`Self::keep_for_application`], for what nobody waits for.
    pub fn note_for_application(&mut self, records: Vec<Record>) {
        for record in records {
            self.keep(Keep::Noted, record);
        }
    }

    pub(super) fn keep(&mut self, keep: Keep, record: Record) {
        match keep {
            Keep::Promised => self.journal.promise(&mut self.outputs, record),
            Keep::Noted => self.journal.note(&mut self.outputs, record),
        }
    }

    /// Keeps the registration of a device.
    pub(super) fn keep_registration(&mut self, key: DeviceKey, keep: Keep) {
        let Some(device) = self.kept(key) else { return };
        let registration = &*device.registration;
        let connected = device.peer.is_none_or(|peer| self.link.uses_connections(peer));
        let value = KeptRegistration::of(registration, connected);
        let name = registration.endpoint.as_bytes().to_vec().into();
        let record = records::put(records::REGISTRATIONS, name, &value);
        self.keep(keep, record);
    }

    /// Notes that a device was heard of.
    pub(super) fn keep_update(&mut self, key: DeviceKey) {
        let Some(device) = self.kept(key) else { return };
        let Registration { endpoint, updated_at, .. } = &*device.registration;
        let name = endpoint.as_bytes().to_vec().into();
        let record = records::put(records::UPDATES, name, &updated_at.as_micros());
        self.keep(Keep::Noted, record);
    }

    fn kept(&self, key: DeviceKey) -> Option<&crate::Device> {
        if self.journal.is_kept() { self.devices.get(key) } else { None }
    }

    /// Forgets the registration of a device.
    pub(super) fn forget_registration(&mut self, endpoint: &str, keep: Keep) {
        for table in [records::UPDATES, records::REGISTRATIONS] {
            let name = endpoint.as_bytes().to_vec().into();
            self.keep(keep, records::remove(table, name));
        }
    }
}
