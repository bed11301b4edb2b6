//! Object 1, LwM2M Server: one instance an account (OMA LwM2M Core, Appendix E.2).

use super::MemoryObject;
use super::store::Store;
use crate::config::{Retry, ServerAccount};
use crate::error::Refusal;
use crate::transport::Transport;
use alloc::string::{String, ToString};
use core::time::Duration;
use lwm2m_core::{BindingMode, ObjectInstance, Resource, Value, Version};

pub(crate) const ID: u16 = 1;
pub(crate) const SHORT_SERVER_ID: u16 = 0;
pub(crate) const LIFETIME: u16 = 1;
pub(crate) const PMIN: u16 = 2;
pub(crate) const PMAX: u16 = 3;
pub(crate) const DISABLE: u16 = 4;
pub(crate) const DISABLE_TIMEOUT: u16 = 5;
pub(crate) const BINDING: u16 = 7;
pub(crate) const UPDATE_TRIGGER: u16 = 8;
/// Bootstrap-Request Trigger, which a client that can bootstrap has.
pub(crate) const BOOTSTRAP_TRIGGER: u16 = 9;
/// TLS-DTLS Alert Code: what the server said last.
pub(crate) const ALERT_CODE: u16 = 11;
const NOTIFICATION_STORING: u16 = 6;
/// The resources with a value that each instance has.
pub(crate) const MANDATORY: [u16; 4] = [SHORT_SERVER_ID, LIFETIME, NOTIFICATION_STORING, BINDING];
/// Preferred Transport.
const PREFERRED_TRANSPORT: u16 = 22;
const RETRY_COUNT: u16 = 17;
const RETRY_TIMER: u16 = 18;
const SEQUENCE_DELAY: u16 = 19;
const SEQUENCE_COUNT: u16 = 20;
const MUTE_SEND: u16 = 23;
const CONFIRMABLE: u16 = 26;

/// What an instance may have, besides what is executed.
const SETTABLE: [u16; 14] = [
    SHORT_SERVER_ID,
    LIFETIME,
    PMIN,
    PMAX,
    DISABLE_TIMEOUT,
    NOTIFICATION_STORING,
    BINDING,
    RETRY_COUNT,
    RETRY_TIMER,
    SEQUENCE_DELAY,
    SEQUENCE_COUNT,
    PREFERRED_TRANSPORT,
    MUTE_SEND,
    CONFIRMABLE,
];

/// The object with an instance for each account, in their order.
pub(crate) fn object<'a>(
    accounts: impl IntoIterator<Item = &'a ServerAccount>,
    version: Version,
    bootstraps: bool,
) -> MemoryObject {
    // What executing them does is the client's own business; it sees to it after the answer.
    let object = MemoryObject::new(ID)
        .fixed()
        .on_execute(DISABLE, |_, _| Ok(()))
        .on_execute(UPDATE_TRIGGER, |_, _| Ok(()))
        .on_write(move |_, values| match acceptable(values, version) {
            true => Ok(()),
            false => Err(Refusal::BadRequest),
        });
    let object = SETTABLE.into_iter().fold(object, MemoryObject::optional);
    let object = match bootstraps {
        true => object.on_execute(BOOTSTRAP_TRIGGER, |_, _| Ok(())),
        false => object,
    };
    let numbered = (0u16..).zip(accounts);
    numbered.fold(object, |object, (id, account)| object.instance(id, |_| values(account, version)))
}

fn values(account: &ServerAccount, version: Version) -> ObjectInstance {
    let mut binding = account.binding.to_string();
    if account.queue_mode && version == Version::V1_0 {
        binding = with_queue_mode(&binding);
    }
    let mut values = ObjectInstance::default()
        .with(SHORT_SERVER_ID, i64::from(account.short_server_id))
        .with(LIFETIME, i64::from(account.lifetime))
        .with(DISABLE_TIMEOUT, i64::from(account.disable_timeout))
        .with(NOTIFICATION_STORING, account.notification_storing)
        .with(BINDING, binding)
        .with(RETRY_COUNT, u64::from(account.retry.count))
        .with(RETRY_TIMER, u64::from(account.retry.timer))
        .with(SEQUENCE_DELAY, u64::from(account.retry.sequence_delay))
        .with(SEQUENCE_COUNT, u64::from(account.retry.sequence_count))
        .with(CONFIRMABLE, i64::from(account.confirmable_notifications));
    for (resource, period) in [(PMIN, account.pmin), (PMAX, account.pmax)] {
        if let Some(period) = period {
            values = values.with(resource, i64::from(period));
        }
    }
    if !account.mute_send {
        values = values.with(MUTE_SEND, false);
    }
    values
}

/// A binding as LwM2M 1.0 writes it with queue mode: Q behind the first letter.
pub(crate) fn with_queue_mode(binding: &str) -> String {
    let mut letters: String = binding.chars().filter(|letter| *letter != 'Q').collect();
    letters.insert(letters.len().min(1), 'Q');
    letters
}

/// What the definition cannot tell: periods are not negative, and the binding is one.
fn acceptable(values: &ObjectInstance, version: Version) -> bool {
    values.resources.iter().all(|(id, resource)| match (*id, resource) {
        (LIFETIME | PMIN | PMAX | DISABLE_TIMEOUT, Resource::Single(Value::Integer(seconds))) => {
            u32::try_from(*seconds).is_ok()
        }
        (BINDING, Resource::Single(Value::String(text))) => {
            let own = |(offered, _): (BindingMode, bool)| BindingMode::UT.contains(offered);
            BindingMode::parse(text, version).is_ok_and(own)
        }
        (PREFERRED_TRANSPORT, Resource::Single(Value::String(text))) => {
            Transport::from_letter(text).is_some()
        }
        _ => true,
    })
}

/// The values of one instance, as the client itself needs them.
pub(crate) struct Settings<'a> {
    store: &'a Store,
    instance: u16,
}

impl<'a> Settings<'a> {
    pub(crate) const fn of(store: &'a Store, instance: u16) -> Self {
        Self { store, instance }
    }

    fn value(&self, resource: u16) -> Option<Value> {
        match self.store.object(ID)?.read(self.instance, resource).ok()?.into_owned() {
            Resource::Single(value) => Some(value),
            Resource::Multiple(_) => None,
        }
    }

    fn number(&self, resource: u16) -> Option<u32> {
        match self.value(resource)? {
            Value::Integer(number) => u32::try_from(number).ok(),
            Value::UnsignedInteger(number) => Some(u32::try_from(number).unwrap_or(u32::MAX)),
            _ => None,
        }
    }

    pub(crate) fn lifetime(&self) -> u32 {
        self.number(LIFETIME).unwrap_or(86_400)
    }

    pub(crate) fn binding(&self) -> String {
        match self.value(BINDING) {
            Some(Value::String(text)) => text,
            _ => BindingMode::U.to_string(),
        }
    }

    pub(crate) fn preferred_transport(&self) -> Option<Transport> {
        match self.value(PREFERRED_TRANSPORT) {
            Some(Value::String(letter)) => Transport::from_letter(&letter),
            _ => None,
        }
    }

    pub(crate) fn disable_timeout(&self) -> Duration {
        Duration::from_secs(self.number(DISABLE_TIMEOUT).unwrap_or(86_400).into())
    }

    pub(crate) fn pmin(&self) -> Option<u32> {
        self.number(PMIN)
    }

    pub(crate) fn pmax(&self) -> Option<u32> {
        self.number(PMAX)
    }

    pub(crate) fn confirmable(&self) -> bool {
        self.number(CONFIRMABLE) == Some(1)
    }

    /// Whether the server wants nothing sent, as long as it does not say otherwise.
    pub(crate) fn mute_send(&self) -> bool {
        self.value(MUTE_SEND) != Some(Value::Boolean(false))
    }

    pub(crate) fn retry(&self) -> Retry {
        let default = Retry::default();
        Retry {
            count: self.number(RETRY_COUNT).unwrap_or(default.count),
            timer: self.number(RETRY_TIMER).unwrap_or(default.timer),
            sequence_delay: self.number(SEQUENCE_DELAY).unwrap_or(default.sequence_delay),
            sequence_count: self.number(SEQUENCE_COUNT).unwrap_or(default.sequence_count),
        }
    }
}
