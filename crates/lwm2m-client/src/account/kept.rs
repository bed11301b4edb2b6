//! The registration as a record, and how it goes on after a restart.

use super::Account;
use super::state::{Registered, RegistrationParams, State};
use crate::context::Context;
use crate::effect::Effect;
use crate::records::{self, KeptRegistration, REGISTRATIONS};
use crate::transport::Transport;
use alloc::string::ToString;
use lwm2m_time::Instant;

impl Account {
    /// Keeps the registration.
    pub(super) fn keep(&mut self, cx: &mut Context) {
        let State::Registered(state) = &self.state else { return };
        if !cx.is_kept() {
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
        if !is_same || kept.location.is_empty() {
            return None;
        }
        let address = kept.address.and_then(|address| address.parse().ok());
        self.config.address = self.config.address.or(address);
        self.version = version;
        let KeptRegistration { location, lifetime, binding, links, .. } = kept;
        let registered = Registered {
            location,
            known: RegistrationParams { lifetime, binding, links },
            update: None,
            moving_to: None,
            again: false,
            renewed_at,
            resumes: true,
        };
        self.restored = Some(registered).filter(|it| it.lasts_beyond(cx.now));
        self.restored.is_some().then_some(())
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
                if self.transport == Transport::Tcp {
                    // They ended with the connection.
                    cx.effect(Effect::EndObservations(self.id));
                }
                self.send_update(cx);
            }
        }
    }
}
