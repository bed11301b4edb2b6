//! Devices that the application deletes, and sessions that it ends.

use super::Server;
use super::keeping::Keep;
use crate::event::DeregistrationReason;
use lwm2m_time::Instant;

impl Server {
    /// Deletes a device: ends its registration and its session, takes back its observations and the
    /// commands that have not ended, and forgets the values that it told. Its credential stays, so it can
    /// register again; so do the events of its past, and the results of commands until they are
    /// [removed](Self::remove_command). Returns `false` if the server knew nothing of it but those.
    ///
    /// All of it is promised: see [`Self::promised`] for when it is durable, and ask
    /// [`Self::can_promise`] before.
    pub fn delete_device(&mut self, now: Instant, endpoint: &str) -> bool {
        self.forget_values_of(endpoint, Keep::Promised);
        let commands: Vec<_> = self.commands.open(endpoint).map(|it| it.id).collect();
        let targets: Vec<_> = self.wishes.of(endpoint).map(|(target, _)| target.clone()).collect();
        let is_registered = self.devices.key_of(endpoint).is_some();
        let is_known = is_registered || !commands.is_empty() || !targets.is_empty();
        // The wishes first: those of a registered device would begin anew.
        targets.iter().for_each(|target| _ = self.cease(now, endpoint, target));
        self.end_session(now, endpoint);
        if let Some(key) = self.devices.key_of(endpoint) {
            self.remove(now, key, DeregistrationReason::Deleted);
        }
        commands.into_iter().for_each(|id| _ = self.remove_command(now, id));
        self.handle_link_events(now);
        is_known
    }

    /// Ends all sessions of DTLS and TLS of the identity of a registered device. The registration stays. The
    /// device may begin another session, also by resuming an earlier one: what shuts it out is
    /// [`Self::remove_credential`], or another credential. Returns `false` if the device is not registered or
    /// has no session.
    pub fn end_session(&mut self, now: Instant, endpoint: &str) -> bool {
        let device = self.devices.key_of(endpoint).and_then(|key| self.devices.get(key));
        let identity = device.and_then(|device| device.registration.identity.secured().cloned());
        let Some(identity) = identity else { return false };
        let ended = self.link.end_sessions_with(&identity);
        self.handle_link_events(now);
        ended > 0
    }
}
