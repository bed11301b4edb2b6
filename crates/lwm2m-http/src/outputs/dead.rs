//! Dead letters: events that a receiver refused for good, with the reason.

use super::{DEAD_LETTERS, LAGGED, Untold};
use bytes::Bytes;
use lwm2m_link::Record;
use lwm2m_store::{Reader, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// How many dead letters of an output are kept; beyond that, the oldest is forgotten.
pub(super) const MOST: usize = 1_000;

/// An event that was left out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    pub(crate) number: u64,
    /// When it was left out, in milliseconds since 1970.
    pub(crate) time: u64,
    /// What the receiver said.
    pub(crate) why: String,
    /// The event, as `GET /api/events` has it.
    pub(crate) event: Json,
}

impl DeadLetter {
    pub(super) fn new(event: &Untold, time: u64, why: String) -> Self {
        let json = serde_json::from_slice(&event.json).unwrap_or_default();
        Self { number: event.number, time, why, event: json }
    }

    /// The event, to be told again.
    pub(super) fn untold(&self) -> Untold {
        let text = |name: &str| self.event.get(name).and_then(Json::as_str).unwrap_or_default();
        let name = if text("event").is_empty() { LAGGED } else { text("event") };
        Untold {
            number: self.number,
            name: name.to_owned(),
            endpoint: text("ep").to_owned(),
            json: self.event.to_string().into_bytes(),
        }
    }

    pub(super) fn record(&self, output: &str) -> Record {
        let value = serde_json::to_vec(self).unwrap_or_default();
        let key = key(output, self.number);
        Record { table: DEAD_LETTERS, key, value: Some(value.into()) }
    }
}

/// The record that forgets a dead letter.
pub(super) fn removal(output: &str, number: u64) -> Record {
    Record { table: DEAD_LETTERS, key: key(output, number), value: None }
}

/// The dead letters of an output, the oldest first.
pub(super) fn all(reader: &Reader, output: &str) -> Result<Vec<DeadLetter>, StoreError> {
    let letters = reader.prefix(DEAD_LETTERS, &prefix(output))?.map(|record| {
        let value = record?.value.unwrap_or_default();
        Ok(serde_json::from_slice(&value).ok())
    });
    // What cannot be read is of a later version.
    letters.filter_map(Result::transpose).collect()
}

/// The numbers of the dead letters of an output, the smallest first.
pub(super) fn numbers(reader: &Reader, output: &str) -> Result<Vec<u64>, StoreError> {
    let number = |key: &[u8]| key.last_chunk().copied().map(u64::from_be_bytes);
    let keys = reader.prefix(DEAD_LETTERS, &prefix(output))?;
    keys.filter_map(|record| record.map(|it| number(&it.key)).transpose()).collect()
}

fn prefix(output: &str) -> Vec<u8> {
    [output.as_bytes(), &[0]].concat()
}

fn key(output: &str, number: u64) -> Bytes {
    [&prefix(output)[..], &number.to_be_bytes()].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_is_told_as_it_was() {
        let json = br#"{"ep":"a","event":"UPDATED","number":7}"#.to_vec();
        let (name, endpoint) = ("UPDATED".to_owned(), "a".to_owned());
        let event = Untold { number: 7, name, endpoint, json };
        let letter = DeadLetter::new(&event, 1, "410".to_owned());
        assert_eq!(letter.untold(), event);
        let read: DeadLetter =
            serde_json::from_slice(&letter.record("x").value.expect("a value")).expect("JSON");
        assert_eq!(read, letter);
    }
}
