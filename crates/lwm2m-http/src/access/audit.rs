//! Who changed what.

use super::AUDIT;
use bytes::Bytes;
use lwm2m_link::Record;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The entries that each ring keeps; the oldest give way.
const MAX_ENTRIES: usize = 10_000;
/// The most bytes of the address that an entry keeps.
const MAX_WHAT: usize = 512;

/// A request that may have changed something.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// When it was answered, in milliseconds since 1970.
    pub(crate) at: u64,
    /// The name of the token or user.
    pub(crate) who: String,
    /// The address that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// Method and address.
    pub(crate) what: String,
    /// The status of the answer; none if the caller was gone before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// What it is about.
    #[serde(default)]
    pub(crate) kind: Kind,
    /// What it was before and is now, without secrets.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub(crate) change: serde_json::Value,
}

/// What an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// An operation on devices.
    #[default]
    Operation,
    /// Tokens, users, credentials of devices.
    Administration,
    /// A log-in.
    LogIn,
}

/// The newest entries, by number. Each kind has a ring of its own, so that log-ins and operations on devices
/// cannot push out entries about tokens, users and credentials.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    operations: VecDeque<(u64, Entry)>,
    administration: VecDeque<(u64, Entry)>,
    log_ins: VecDeque<(u64, Entry)>,
    next: u64,
}

impl Audit {
    fn ring(&mut self, entry: &Entry) -> &mut VecDeque<(u64, Entry)> {
        match entry.kind {
            Kind::Operation => &mut self.operations,
            Kind::Administration => &mut self.administration,
            Kind::LogIn => &mut self.log_ins,
        }
    }

    /// Takes an entry of the store; they come in order.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let number = u64::from_be_bytes(key.try_into().ok()?);
        let entry = serde_json::from_slice(value).ok()?;
        self.next = number + 1;
        self.ring(&entry).push_back((number, entry));
        Some(())
    }

    /// Adds an entry, and returns what to keep.
    pub(crate) fn add(&mut self, mut entry: Entry) -> Vec<Record> {
        let end = entry.what.floor_char_boundary(MAX_WHAT);
        entry.what = entry.what.get(..end).unwrap_or_default().to_owned();
        // A struct of texts and numbers is always JSON.
        let value = serde_json::to_vec(&entry).unwrap_or_default();
        let number = self.next;
        self.next += 1;
        let ring = self.ring(&entry);
        ring.push_back((number, entry));
        let excess = ring.len().saturating_sub(MAX_ENTRIES);
        let gone = ring.drain(..excess).map(|(number, _)| record(number, None));
        gone.chain([record(number, Some(value))]).collect()
    }

    /// The newest entries before a number, the newest first.
    pub(crate) fn page(&self, before: Option<u64>, limit: usize) -> Vec<(u64, Entry)> {
        let newest = |ring: &VecDeque<(u64, Entry)>| {
            let end = before
                .map_or(ring.len(), |before| ring.partition_point(|(number, _)| *number < before));
            ring.range(..end).rev().take(limit).cloned().collect::<Vec<_>>()
        };
        let rings = [&self.operations, &self.administration, &self.log_ins];
        let mut page = rings.map(newest).concat();
        page.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        page.truncate(limit);
        page
    }
}

fn record(number: u64, value: Option<Vec<u8>>) -> Record {
    let key = Bytes::copy_from_slice(&number.to_be_bytes());
    Record { table: AUDIT, key, value: value.map(Bytes::from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(what: &str) -> Entry {
        let (who, change) = ("a".to_owned(), serde_json::Value::Null);
        let (from, status, kind) = (None, Some(200), Kind::Operation);
        Entry { at: 1, who, from, what: what.to_owned(), status, kind, change }
    }

    #[test]
    fn the_log_is_bounded_and_goes_on_after_a_restart() {
        let mut audit = Audit::default();
        let records: Vec<_> = (0..MAX_ENTRIES).flat_map(|_| audit.add(entry("PUT /"))).collect();
        assert_eq!(records.len(), MAX_ENTRIES);
        let last = audit.add(entry(&"ä".repeat(1_000)));
        assert_eq!((last.len(), last[0].value.as_ref()), (2, None));
        let mut again = Audit::default();
        for record in records.iter().skip(1).chain(&last[1..]) {
            again.take(&record.key, record.value.as_ref().unwrap()).unwrap();
        }
        assert_eq!(again.page(None, MAX_ENTRIES), audit.page(None, MAX_ENTRIES));
        assert!(again.page(None, 1)[0].1.what.len() <= MAX_WHAT);
        again.add(Entry { kind: Kind::Administration, ..entry("PUT /api/users/a") });
        for kind in [Kind::LogIn, Kind::Operation] {
            (0..MAX_ENTRIES).for_each(|_| _ = again.add(Entry { kind, ..entry("PUT /") }));
        }
        let oldest = again.page(None, 3 * MAX_ENTRIES).pop().map(|(number, _)| number);
        assert_eq!(oldest, Some(10_001), "others push out what administers");
        let numbers = |page: Vec<(u64, _)>| page.iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(numbers(audit.page(None, 2)), [10_000, 9_999]);
        assert_eq!(numbers(audit.page(Some(3), 9)), [2, 1]);
        assert_eq!(numbers(again.page(Some(10_003), 2)), [10_002, 10_001]);
    }
}
