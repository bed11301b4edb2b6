//! What happened, as records: the history that outlives a restart.

use super::target;
use crate::command::{CommandId, Outcome};
use crate::event::DeregistrationReason;
use crate::operation::Target;
use bytes::Bytes;
use lwm2m_coap::Code;
use lwm2m_time::Instant;
use minicbor::{Decode, Encode};

/// Something that happened to a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptEvent {
    /// Its number: greater than those of earlier ones, and never used again once it can be read.
    pub number: u64,
    /// When.
    pub at: Instant,
    /// The endpoint name of the device.
    pub endpoint: String,
    /// What.
    pub what: Happened,
    /// Whether its device had proven its name, or its name has a credential.
    pub is_secured: bool,
}

/// What happened to a device.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Happened {
    /// It registered, from this address.
    Registered(String),
    /// Its Update changed something, from this address.
    Updated(String),
    /// Its registration ended.
    Deregistered(DeregistrationReason),
    /// A command ended: how, and the code that the device answered if it did.
    CommandEnded(CommandId, CommandEnd),
    /// It reports what is wished.
    Observed(Target),
    /// It refused what is wished, with this code.
    Refused(Target, Code),
}

/// How a command ended, without what the device answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CommandEnd {
    /// The device answered with this code.
    Answered(Code),
    /// It could not be carried out.
    Failed,
    /// The device was not reached in time.
    Expired,
    /// The device may have carried it out.
    Unknown,
    /// A later write took its place.
    Superseded,
}

impl From<&Outcome> for CommandEnd {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Answered(response) => Self::Answered(response.code),
            Outcome::Failed(_) => Self::Failed,
            Outcome::Expired => Self::Expired,
            Outcome::Unknown => Self::Unknown,
            Outcome::Superseded => Self::Superseded,
        }
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Fields {
    /// Microseconds.
    #[n(0)]
    at: u64,
    #[n(1)]
    endpoint: String,
    #[n(2)]
    kind: u8,
    /// An address or a target.
    #[n(3)]
    text: Option<String>,
    /// The number of a command.
    #[n(4)]
    command: Option<u64>,
    /// A code, or the number of a reason.
    #[n(5)]
    code: Option<u8>,
    #[n(6)]
    secured: Option<bool>,
}

impl KeptEvent {
    pub(crate) fn key(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    /// The number in a key.
    pub(crate) fn read_key(key: &[u8]) -> Option<u64> {
        Some(u64::from_be_bytes(key.try_into().ok()?))
    }

    /// The key from which on records are those of events after this one.
    #[must_use]
    pub fn key_after(number: u64) -> Bytes {
        Self::key(number.saturating_add(1))
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let (kind, text, command, code) = match &self.what {
            Happened::Registered(address) => (0, Some(address.clone()), None, None),
            Happened::Updated(address) => (1, Some(address.clone()), None, None),
            Happened::Deregistered(reason) => (2, None, None, Some(of_reason(*reason))),
            Happened::CommandEnded(id, CommandEnd::Answered(code)) => {
                (3, None, Some(id.0), Some(u8::from(*code)))
            }
            Happened::CommandEnded(id, CommandEnd::Failed) => (4, None, Some(id.0), None),
            Happened::CommandEnded(id, CommandEnd::Expired) => (5, None, Some(id.0), None),
            Happened::CommandEnded(id, CommandEnd::Unknown) => (6, None, Some(id.0), None),
            Happened::CommandEnded(id, CommandEnd::Superseded) => (7, None, Some(id.0), None),
            Happened::Observed(target) => (8, Some(target::text(target)), None, None),
            Happened::Refused(target, code) => {
                (9, Some(target::text(target)), None, Some(u8::from(*code)))
            }
        };
        let (at, endpoint) = (self.at.as_micros(), self.endpoint.clone());
        let secured = self.is_secured.then_some(true);
        super::encode(&Fields { at, endpoint, kind, text, command, code, secured })
    }

    /// Reads a record of the table of events; `None` for what a later version wrote.
    #[must_use]
    pub fn read(key: &[u8], record: &[u8]) -> Option<Self> {
        let number = Self::read_key(key)?;
        let Fields { at, endpoint, kind, text, command, code, secured } = super::decode(record)?;
        let ended = |end| Some(Happened::CommandEnded(CommandId(command?), end));
        let what = match kind {
            0 => Happened::Registered(text?),
            1 => Happened::Updated(text?),
            2 => Happened::Deregistered(reason(code?)?),
            3 => ended(CommandEnd::Answered(Code::from(code?)))?,
            4 => ended(CommandEnd::Failed)?,
            5 => ended(CommandEnd::Expired)?,
            6 => ended(CommandEnd::Unknown)?,
            7 => ended(CommandEnd::Superseded)?,
            8 => Happened::Observed(target::parse(&text?)?),
            9 => Happened::Refused(target::parse(&text?)?, Code::from(code?)),
            _ => return None,
        };
        let (at, is_secured) = (Instant::from_micros(at), secured == Some(true));
        Some(Self { number, at, endpoint, what, is_secured })
    }
}

const fn of_reason(reason: DeregistrationReason) -> u8 {
    match reason {
        DeregistrationReason::Removed => 0,
        DeregistrationReason::Expired => 1,
        DeregistrationReason::Replaced => 2,
        DeregistrationReason::CredentialsChanged => 3,
        DeregistrationReason::Deleted => 4,
    }
}

const fn reason(number: u8) -> Option<DeregistrationReason> {
    Some(match number {
        0 => DeregistrationReason::Removed,
        1 => DeregistrationReason::Expired,
        2 => DeregistrationReason::Replaced,
        3 => DeregistrationReason::CredentialsChanged,
        4 => DeregistrationReason::Deleted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_events_are_read_as_they_were() {
        let target = Target::Path("/3/0/9".parse().unwrap());
        let reasons = [0, 1, 2, 3].map(|it| Happened::Deregistered(reason(it).unwrap()));
        let ends = [
            CommandEnd::Answered(Code::CONTENT),
            CommandEnd::Failed,
            CommandEnd::Expired,
            CommandEnd::Unknown,
            CommandEnd::Superseded,
        ];
        let ends = ends.map(|end| Happened::CommandEnded(CommandId(7), end));
        let others = [
            Happened::Registered("192.0.2.1:5683".to_owned()),
            Happened::Updated("[2001:db8::1]:5683".to_owned()),
            Happened::Observed(target.clone()),
            Happened::Refused(target, Code::NOT_FOUND),
        ];
        for what in reasons.into_iter().chain(ends).chain(others) {
            let at = Instant::from_micros(1_700_000_000_000_000);
            let (endpoint, is_secured) = ("a".to_owned(), matches!(what, Happened::Updated(_)));
            let event = KeptEvent { number: 300, at, endpoint, what, is_secured };
            let read = KeptEvent::read(&KeptEvent::key(300), &event.to_bytes());
            assert_eq!(read, Some(event));
        }
    }
}
