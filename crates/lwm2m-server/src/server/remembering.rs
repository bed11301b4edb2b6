//! What is kept of the past: the newest values, the history of numbers, and what happened.

use super::Server;
use super::keeping::Keep;
use crate::event::Event;
use crate::records::{self, Happened, KeptDeparted, KeptEvent, KeptNumber, KeptValue};
use crate::registration::ObjectList;
use lwm2m_codec::Timed;
use lwm2m_core::{Node, Path};
use lwm2m_link::Record;
use lwm2m_time::Instant;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One number in so many has the older ones of its resource removed. To look for them takes longer than
/// to write a number.
const TRIM_EVERY: u32 = 64;
/// How many numbers are kept of a device for each value.
const NUMBERS: u32 = 10;
/// From this number on a time is Unix time; a smaller one is relative (RFC 8428 section 4.5.3).
const ABSOLUTE: f64 = 268_435_456.0;

impl Server {
    /// Keeps values of a device.
    pub(super) fn keep_values<'v>(
        &mut self,
        now: Instant,
        endpoint: &str,
        values: impl IntoIterator<Item = &'v Timed>,
        keep: Keep,
    ) {
        if !self.journal.is_kept() {
            return;
        }
        for Timed { time, path, value } in values {
            let kept = KeptValue { received_at: now, time: *time, value: value.clone() };
            self.keep_value(endpoint, path, &kept, keep);
        }
    }

    /// Keeps the values of an answer or a notification.
    pub(super) fn keep_node(&mut self, now: Instant, endpoint: &str, path: &Path, node: &Node) {
        if !self.journal.is_kept() {
            return;
        }
        for (path, value) in node.leaves(path) {
            let kept = KeptValue { received_at: now, time: None, value: value.clone() };
            self.keep_value(endpoint, &path, &kept, Keep::Noted);
        }
    }

    fn keep_value(&mut self, endpoint: &str, path: &Path, value: &KeptValue, keep: Keep) {
        if self.config.max_history > 0 && KeptNumber::is_one(&value.value) {
            self.keep_number(endpoint, path, value);
        }
        let (key, value) = (KeptValue::key(endpoint, path), Some(value.to_bytes()));
        self.keep(keep, Record { table: records::VALUES, key, value });
        if self.devices.random(1..=TRIM_EVERY) == 1 {
            let (prefix, most) = (records::prefix(endpoint), self.config.max_kept_values);
            self.journal.trim(&mut self.outputs, records::VALUES, prefix, most);
        }
    }

    /// Adds a number to the history of its resource.
    fn keep_number(
        &mut self,
        endpoint: &str,
        path: &Path,
        KeptValue { received_at, time, value }: &KeptValue,
    ) {
        let at = time.map_or(*received_at, |time| told_at(*received_at, time));
        let (key, bytes) = (KeptNumber::key(endpoint, path, at), KeptNumber::to_bytes(value));
        self.keep(Keep::Noted, Record { table: records::HISTORY, key, value: Some(bytes) });
        if self.devices.random(1..=TRIM_EVERY) == 1 {
            let all = self.config.max_kept_values.saturating_mul(NUMBERS);
            let (table, of_device) = (records::HISTORY, records::prefix(endpoint));
            self.journal.trim(&mut self.outputs, table, of_device, all);
            let (prefix, most) = (KeptNumber::prefix(endpoint, path), self.config.max_history);
            self.journal.trim(&mut self.outputs, records::HISTORY, prefix, most);
        }
    }

    /// Forgets what a device told of an object instance, or of an instance of a resource, that it has
    /// deleted.
    pub(super) fn forget_values_at(&mut self, endpoint: &str, path: &Path) {
        if path.depth() == 2 {
            // Not /3/1 alone: /3/10 begins like it.
            let below = records::key_of(endpoint, &format!("{path}/"));
            self.forget_below(&below, Keep::Noted);
        } else {
            self.keep(
                Keep::Noted,
                records::remove(records::VALUES, KeptValue::key(endpoint, path)),
            );
            let numbers = KeptNumber::prefix(endpoint, path);
            self.journal.trim(&mut self.outputs, records::HISTORY, numbers, 0);
        }
    }

    /// Forgets all that a device told.
    pub(super) fn forget_values_of(&mut self, endpoint: &str, keep: Keep) {
        self.forget_below(&records::prefix(endpoint), keep);
    }

    fn forget_below(&mut self, prefix: &bytes::Bytes, keep: Keep) {
        for table in [records::VALUES, records::HISTORY] {
            let (outputs, prefix) = (&mut self.outputs, prefix.clone());
            match keep {
                Keep::Promised => self.journal.promise_removal(outputs, table, prefix),
                Keep::Noted => self.journal.trim(outputs, table, prefix, 0),
            }
        }
    }

    /// Forgets what a device told of the object instances that it no longer lists.
    pub(super) fn forget_unlisted(
        &mut self,
        endpoint: &str,
        before: &ObjectList,
        now: &ObjectList,
    ) {
        if !self.journal.is_kept() || std::ptr::eq(before, now) {
            return;
        }
        let none = BTreeSet::new();
        for (object, info) in &before.objects {
            let left = now.objects.get(object).map_or(&none, |it| &it.instances);
            for instance in info.instances.difference(left) {
                self.forget_values_at(endpoint, &Path::instance(*object, *instance));
            }
        }
    }

    /// Notes that a device is not registered any more. Without a credential its values are forgotten
    /// when many others have left after it.
    pub(super) fn depart(&mut self, endpoint: &Arc<str>, is_certified: bool) {
        if !self.journal.is_kept() || self.config.security.contains(endpoint) {
            return;
        }
        let (number, earlier) = self.departed.add(endpoint, is_certified);
        let value = Some(KeptDeparted { endpoint, is_certified }.to_bytes());
        let (table, key) = (records::DEPARTED, KeptEvent::key(number));
        self.keep(Keep::Noted, Record { table, key, value });
        earlier.into_iter().for_each(|number| self.forget_departed(number));
        while let Some((number, gone)) = self.departed.pop_beyond(self.config.max_departed) {
            self.forget_departed(number);
            if self.devices.key_of(&gone).is_none() && !self.config.security.contains(&gone) {
                self.forget_values_of(&gone, Keep::Noted);
            }
        }
    }

    fn forget_departed(&mut self, number: u64) {
        self.keep(Keep::Noted, records::remove(records::DEPARTED, KeptEvent::key(number)));
    }

    /// Keeps that something happened to a device, for the history of events.
    pub(super) fn remember(
        &mut self,
        at: Instant,
        endpoint: &str,
        what: impl FnOnce() -> Happened,
    ) {
        let is_secured = self.journal.is_kept() && self.is_secured(endpoint);
        self.remember_of(is_secured, at, endpoint, what);
    }

    /// The same of a device that may not be registered any more.
    pub(super) fn remember_of(
        &mut self,
        is_secured: bool,
        at: Instant,
        endpoint: &str,
        what: impl FnOnce() -> Happened,
    ) {
        if !self.journal.is_kept() {
            return;
        }
        let Some(number) = self.history.admit(at, endpoint, is_secured) else { return };
        self.outputs.push_back(Event::Remembered(number));
        let endpoint = endpoint.to_owned();
        let event = KeptEvent { number, at, endpoint, what: what(), is_secured };
        let (table, key) = (records::EVENTS, KeptEvent::key(number));
        self.keep(Keep::Noted, Record { table, key, value: Some(event.to_bytes()) });
        self.trim_events();
    }

    /// Removes the events that are too many.
    pub(super) fn trim_events(&mut self) {
        while let Some(number) = self.history.pop_beyond() {
            let gone = records::remove(records::EVENTS, KeptEvent::key(number));
            self.keep(Keep::Noted, gone);
        }
    }

    /// Whether nobody can use this name without proving it: it has a credential, or a device that is
    /// registered with security.
    fn is_secured(&self, endpoint: &str) -> bool {
        let registered = || self.devices.get(self.devices.key_of(endpoint)?);
        self.config.security.contains(endpoint)
            || registered().is_some_and(|it| it.registration.identity.secured().is_some())
    }
}

/// The time of a value that came at a time, by what the device said.
fn told_at(received: Instant, time: f64) -> Instant {
    let seconds = match time < ABSOLUTE {
        true => received.as_micros() as f64 / 1e6 + time,
        false => time,
    };
    // Casts of floats saturate: a time before 1970 becomes its beginning.
    Instant::from_micros((seconds * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_core::Value;

    #[test]
    fn times_of_devices_are_absolute_or_relative_and_never_out_of_range() {
        let received = Instant::from_millis(1_700_000_000_000);
        assert_eq!(told_at(received, 0.0), received);
        assert_eq!(told_at(received, -60.0), Instant::from_millis(1_699_999_940_000));
        assert_eq!(told_at(received, 1_600_000_000.5), Instant::from_millis(1_600_000_000_500));
        assert_eq!(told_at(received, f64::NEG_INFINITY), Instant::ZERO);
        assert_eq!(told_at(received, f64::NAN), Instant::ZERO);
        assert_eq!(told_at(received, f64::INFINITY), Instant::from_micros(u64::MAX));
    }

    #[test]
    fn what_is_no_number_has_no_history() {
        assert!(KeptNumber::is_one(&Value::Float(1.0)) && KeptNumber::is_one(&Value::Integer(1)));
        assert!(!KeptNumber::is_one(&Value::Boolean(true)));
        assert!(!KeptNumber::is_one(&Value::String("1".to_owned())));
    }
}
