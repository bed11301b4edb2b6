//! The registration as a record, and how it goes on after a restart.

use super::Account;
use super::state::{Registered, RegistrationParams, State};
use crate::context::Context;
use crate::records::{self, KeptRegistration, REGISTRATIONS};
use crate::transport::Transport;
use alloc::string::ToString;
use core::time::Duration;
use lwm2m_time::Instant;

impl Account {
    /// Keeps the registration. A connection ends with the device, and with it what was registered by
    /// it.
    pub(super) fn keep(&mut self, cx: &mut Context) {
        let State::Registered(state) = &self.state else { return };
        if !cx.is_kept() || self.transport != Transport::Udp {
            return;
        }
        let RegistrationParams { lifetime, binding, links } = &state.known;
        let value = KeptRegistration {
            endpoint: cx.endpoint_name.clone(),
            uri: self.config.uri.clone(),
            address: self.config.address.map(|address| address.to_string()),
            location: state.location.clone(),
            version: self.version.to_string(),
            lifetime: *lifetime,
            binding: binding.clone(),
            links: links.clone(),
            renewed_at: state.renewed_at.as_micros(),
        };
        self.recorded = true;
        cx.note(records::put(REGISTRATIONS, records::server_key(self.server(), &[]), &value));
    }

    /// Removes the registration from the store.
    pub(super) fn forget(&mut self, cx: &mut Context) {
        self.restored = None;
        if core::mem::take(&mut self.recorded) {
            cx.note(records::remove(REGISTRATIONS, records::server_key(self.server(), &[])));
        }
    }

    /// Takes the registration from before a restart. `None` if it is another device's or server's, or
    /// its time is over.
    pub(crate) fn restore(&mut self, cx: &Context, kept: KeptRegistration) -> Option<()> {
        self.recorded = true;
        let is_same = kept.endpoint == cx.endpoint_name && kept.uri == self.config.uri;
        let version = kept.version.parse().ok().filter(|version| *version <= self.highest)?;
        // A clock that was set back makes no registration longer.
        let renewed_at = Instant::from_micros(kept.renewed_at).min(cx.now);
        let end = renewed_at + Duration::from_secs(kept.lifetime.into());
        if !is_same || kept.location.is_empty() || (kept.lifetime > 0 && end <= cx.now) {
            return None;
        }
        let address = kept.address.and_then(|address| address.parse().ok());
        self.config.address = self.config.address.or(address);
        self.version = version;
        let KeptRegistration { location, lifetime, binding, links, .. } = kept;
        self.restored = Some(Registered {
            location,
            known: RegistrationParams { lifetime, binding, links },
            update: None,
            moving_to: None,
            again: false,
            renewed_at,
            resumes: true,
        });
        Some(())
    }

    /// Whether there is a registration from before a restart.
    pub(crate) const fn is_restored(&self) -> bool {
        self.restored.is_some()
    }

    /// Begins: with an Update, if the server may still know this client, else with a Register.
    pub(crate) fn begin(&mut self, cx: &mut Context) {
        match self.restored.take() {
            None => self.register_afresh(cx),
            Some(registered) => {
                self.choose_transport(cx);
                self.state = State::Registered(registered);
                match self.transport {
                    Transport::Udp => self.send_update(cx),
                    Transport::Tcp => self.register_afresh(cx),
                }
            }
        }
    }
}
