//! What an engine wants kept, and what waits until it is.
//!
//! An engine says what has to survive a crash as a list of [`Write`]s, in order, among its outputs.
//! The driver hands them to a store and tells the engine by [`Input::Written`] how far the store
//! has come. A [`Journal`] holds back answers to peers until the writes before them are durable: what
//! is acknowledged is kept.
//!
//! [`Input::Written`]: crate::Input::Written

use crate::engine::Outputs;
use alloc::collections::VecDeque;
use bytes::Bytes;

/// The most bytes of writes that are not durable yet. Beyond them nothing more is promised.
const OUTSTANDING: u64 = 64 << 20;
/// Beyond these bytes nothing more is noted, so that there is room for promises.
const NOTED: u64 = OUTSTANDING / 2;
/// What a write takes besides its key and value.
const OVERHEAD: u64 = 64;
/// What a change of all records with a prefix counts, for the store has to look for them.
const TRIMMING: u64 = 1_024;

/// A position in the log of an engine: the bytes of all writes up to and with this one, so that a
/// difference is a size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Lsn(pub u64);

/// The kind of a record. Each engine numbers its own; a number is never used for another kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Table(pub u8);

/// A change of the record with a key: a new value, or its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The kind of the record.
    pub table: Table,
    /// What tells it from others of its kind.
    pub key: Bytes,
    /// The whole value; `None` removes the record.
    pub value: Option<Bytes>,
}

/// A change to keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// The position of the log after this change.
    pub lsn: Lsn,
    /// The change.
    pub record: Record,
    /// `None`: it is a change of this record. Otherwise it is one of all records of the table whose keys
    /// begin with this key: in their order, all but so many of the last ones are removed.
    pub keep_last: Option<u32>,
    /// Whether somebody waits for it. What nobody waits for is made durable within seconds, and
    /// with the next write that is promised.
    pub promised: bool,
}

/// The log of an engine, and what waits for it.
///
/// `H` is what is held back until the writes before it are durable.
#[derive(Debug)]
pub struct Journal<H> {
    is_kept: bool,
    next: Lsn,
    /// The newest write that somebody waits for.
    promised: Lsn,
    written: Lsn,
    has_failed: bool,
    held: VecDeque<(Lsn, H)>,
}

impl<H> Journal<H> {
    /// A journal for a store, or one that keeps nothing: its writes go nowhere, and nothing is held
    /// back.
    #[must_use]
    pub const fn new(is_kept: bool) -> Self {
        let start = Lsn(0);
        let (next, promised, written) = (start, start, start);
        Self { is_kept, next, promised, written, has_failed: false, held: VecDeque::new() }
    }

    /// Whether there is a store.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Whether a promise can be expected to be kept: the store has not failed, and is not far
    /// behind. An engine asks before it changes anything that it would have to promise, and answers
    /// 5.03 otherwise.
    #[must_use]
    pub const fn can_promise(&self) -> bool {
        !self.has_failed && self.next.0 - self.written.0 < OUTSTANDING
    }

    /// The position after the newest write that was promised.
    #[must_use]
    pub const fn promised(&self) -> Lsn {
        self.promised
    }

    /// The position up to which all writes are durable.
    #[must_use]
    pub const fn durable(&self) -> Lsn {
        self.written
    }

    /// Appends a change that an answer or a caller waits for.
    pub fn promise<E>(&mut self, outputs: &mut Outputs<E>, record: Record) {
        self.append(outputs, record, true);
    }

    /// Appends a change that may be lost with the last seconds before a crash. While the store is
    /// far behind it is dropped: the next one of its kind makes up for it.
    pub fn note<E>(&mut self, outputs: &mut Outputs<E>, record: Record) {
        if self.takes_notes() {
            self.append(outputs, record, false);
        }
    }

    /// Appends that of all records whose keys begin with `prefix` only the last ones are kept. It may be
    /// lost as what is [noted](Self::note).
    pub fn trim<E>(&mut self, outputs: &mut Outputs<E>, table: Table, prefix: Bytes, last: u32) {
        if self.takes_notes() {
            let record = Record { table, key: prefix, value: None };
            self.write(outputs, record, Some(last), false);
        }
    }

    /// Appends that no record whose key begins with `prefix` is kept, for which a caller waits.
    pub fn promise_removal<E>(&mut self, outputs: &mut Outputs<E>, table: Table, prefix: Bytes) {
        let record = Record { table, key: prefix, value: None };
        self.write(outputs, record, Some(0), true);
    }

    const fn takes_notes(&self) -> bool {
        self.next.0 - self.written.0 < NOTED
    }

    fn append<E>(&mut self, outputs: &mut Outputs<E>, record: Record, promised: bool) {
        self.write(outputs, record, None, promised);
    }

    fn write<E>(
        &mut self,
        outputs: &mut Outputs<E>,
        record: Record,
        keep_last: Option<u32>,
        promised: bool,
    ) {
        if !self.is_kept {
            return;
        }
        let value = record.value.as_ref().map_or(0, Bytes::len);
        let effort = if keep_last.is_some() { TRIMMING } else { OVERHEAD };
        self.next.0 += effort + record.key.len() as u64 + value as u64;
        if promised {
            self.promised = self.next;
        }
        outputs.write(Write { lsn: self.next, record, keep_last, promised });
    }

    /// Holds something back until what was promised `since` is durable; gives it back if nothing was.
    pub fn hold(&mut self, since: Lsn, held: H) -> Option<H> {
        if self.promised == since {
            return Some(held);
        }
        self.held.push_back((self.promised, held));
        None
    }

    /// Notes that all writes up to `lsn` are durable. Take what is free now by
    /// [`released`](Self::released).
    pub fn written(&mut self, lsn: Lsn) {
        self.written = self.written.max(lsn);
        self.has_failed = false;
    }

    /// The next thing that was held back for writes which are durable now.
    pub fn released(&mut self) -> Option<H> {
        let (lsn, _) = self.held.front()?;
        (*lsn <= self.written).then(|| self.held.pop_front())?.map(|(_, held)| held)
    }

    /// Notes that the store could not keep the writes up to `lsn`, and returns what was held back
    /// for them. The store tries again; until [`written`](Self::written) comes, nothing can be
    /// promised.
    pub fn failed(&mut self, lsn: Lsn) -> impl Iterator<Item = H> {
        self.has_failed = true;
        let count = self.held.iter().take_while(|(at, _)| *at <= lsn).count();
        self.held.drain(..count).map(|(_, held)| held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Output;

    fn record(size: usize) -> Record {
        Record { table: Table(1), key: Bytes::new(), value: Some(vec![0; size].into()) }
    }

    #[test]
    fn what_is_held_waits_for_what_was_promised_before_it() {
        let (mut journal, mut outputs) = (Journal::new(true), Outputs::<()>::default());
        let start = journal.promised();
        journal.note(&mut outputs, record(1));
        assert_eq!(journal.hold(start, 'a'), Some('a'), "nobody waits for what is only noted");
        journal.promise(&mut outputs, record(1));
        let first = journal.promised();
        assert_eq!(journal.hold(start, 'b'), None);
        assert_eq!(journal.hold(first, 'c'), Some('c'));
        journal.promise(&mut outputs, record(2));
        assert_eq!(journal.hold(first, 'd'), None);
        assert_eq!(journal.released(), None);
        journal.written(first);
        assert_eq!((journal.released(), journal.released()), (Some('b'), None));
        journal.written(journal.promised());
        assert_eq!(journal.released(), Some('d'));
        let lsns = core::iter::from_fn(|| outputs.poll()).map(|output| match output {
            Output::Write(write) => (write.lsn, write.promised),
            other => panic!("{other:?}"),
        });
        let expected = [(Lsn(65), false), (Lsn(130), true), (Lsn(196), true)];
        assert_eq!(lsns.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_failed_is_given_back_and_nothing_is_promised_until_the_store_recovers() {
        let (mut journal, mut outputs) = (Journal::new(true), Outputs::<()>::default());
        let start = journal.promised();
        journal.promise(&mut outputs, record(1));
        journal.hold(start, 'a');
        let first = journal.promised();
        journal.promise(&mut outputs, record(1));
        journal.hold(first, 'b');
        assert_eq!(journal.failed(first).collect::<Vec<_>>(), ['a']);
        assert!(!journal.can_promise());
        journal.written(journal.promised());
        assert!(journal.can_promise());
        assert_eq!(journal.released(), Some('b'));
    }

    #[test]
    fn a_store_that_is_far_behind_bounds_the_journal() {
        let (mut journal, mut outputs) = (Journal::<()>::new(true), Outputs::<()>::default());
        (0..100).for_each(|_| journal.note(&mut outputs, record(1 << 20)));
        assert!(journal.can_promise(), "notes leave room for promises");
        assert_eq!(core::iter::from_fn(|| outputs.poll()).count(), 32);
        (0..32).for_each(|_| journal.promise(&mut outputs, record(1 << 20)));
        assert!(!journal.can_promise());
        journal.trim(&mut outputs, Table(1), Bytes::new(), 0);
        assert_eq!(core::iter::from_fn(|| outputs.poll()).count(), 32);
    }

    #[test]
    fn without_a_store_nothing_is_written_and_nothing_waits() {
        let (mut journal, mut outputs) = (Journal::new(false), Outputs::<()>::default());
        journal.promise(&mut outputs, record(1));
        assert_eq!((journal.hold(Lsn(0), ()), outputs.poll()), (Some(()), None));
    }
}
