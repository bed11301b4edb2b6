//! What the link has the recorder keep.

use super::Link;
use crate::openings::Secret;
use crate::recorder::{Carriage, Recorded, Recorder, Way};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use lwm2m_coap::PeerId;
use lwm2m_dtls::{KeyLog, SessionId};

/// Types of records: change_cipher_spec, handshake.
const HANDSHAKE_RECORDS: [u8; 2] = [20, 22];

/// What a link records.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) recorder: Recorder,
    /// The secrets of sessions; `None` if what went over the wire is not recorded.
    keys: Option<Arc<KeyRing>>,
    /// The datagram at hand, until it is known whose it is.
    arrived: Option<Bytes>,
}

/// Takes the secrets of handshakes, and passes them on to the key log of the application.
#[cfg_attr(not(feature = "std"), expect(dead_code, reason = "it needs a lock"))]
pub(super) struct KeyRing {
    next: Option<Arc<dyn KeyLog>>,
    #[cfg(feature = "std")]
    fresh: std::sync::Mutex<Vec<Secret>>,
}

impl core::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyRing(..)")
    }
}

#[cfg(feature = "std")]
impl KeyRing {
    fn take(&self) -> Vec<Secret> {
        core::mem::take(&mut *self.fresh.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[cfg(not(feature = "std"))]
impl KeyRing {
    const fn take(&self) -> Vec<Secret> {
        Vec::new()
    }
}

#[cfg(feature = "std")]
impl KeyLog for KeyRing {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        self.next.iter().for_each(|next| next.log(label, client_random, secret));
        let (label, secret) = (label.into(), zeroize::Zeroizing::new(secret.to_vec()));
        let mut fresh = self.fresh.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        fresh.push(Secret { label, client_random: *client_random, secret });
    }
}

impl Link {
    /// Records the last messages of all peers in so many bytes of memory; 0 records nothing, which is the
    /// default.
    pub fn set_recorder(&mut self, bytes: usize) {
        let recording = || Recording { recorder: Recorder::new(bytes), keys: None, arrived: None };
        self.recording = (bytes > 0).then(|| Box::new(recording()));
    }

    /// Lets the recorder keep also what goes over the wire in sessions, and the secrets that open it, from a
    /// backend that tells them. Comes between [`set_recorder`](Self::set_recorder) and
    /// [`set_security`](Self::set_security), which gets the returned configuration. Does nothing without
    /// `std`.
    #[must_use]
    pub fn record_sessions(&mut self, config: lwm2m_dtls::Config) -> lwm2m_dtls::Config {
        #[cfg(feature = "std")]
        if let Some(recording) = &mut self.recording
            && config.backend.has_key_log()
        {
            let mut config = config;
            let (next, fresh) = (config.key_log.take(), std::sync::Mutex::default());
            let keys = Arc::new(KeyRing { next, fresh });
            config.key_log = Some(Arc::<KeyRing>::clone(&keys));
            recording.keys = Some(keys);
            return config;
        }
        config
    }

    /// The last messages of the peers; `None` if they are not recorded.
    #[must_use]
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recording.as_ref().map(|it| &it.recorder)
    }

    pub(super) fn recorder_mut(&mut self) -> Option<&mut Recorder> {
        self.recording.as_mut().map(|it| &mut it.recorder)
    }

    /// Before a device leaves: lets what was said with it be found by its name.
    pub fn record_leaving(&mut self, peer: PeerId, name: &Arc<str>) {
        self.recorder_mut().into_iter().for_each(|it| it.leave(peer, name));
    }

    /// Lets what was said with a device of this name, before it left, be of the peer that it is now.
    pub fn record_return(&mut self, peer: PeerId, name: &str) {
        self.recorder_mut().into_iter().for_each(|it| it.come_back(peer, name));
    }

    pub(super) fn record_received(&mut self, peer: PeerId, bytes: &[u8], is_stream: bool) {
        if self.recording.is_some() {
            self.record(peer, Way::Received, is_stream, false, Bytes::copy_from_slice(bytes));
        }
    }

    pub(super) fn record_sent(&mut self, peer: PeerId, bytes: &Bytes) {
        if self.recording.is_some() {
            let is_stream = self.connection_of(peer).is_some();
            self.record(peer, Way::Sent, is_stream, false, bytes.clone());
        }
    }

    fn record(&mut self, peer: PeerId, way: Way, is_stream: bool, is_sealed: bool, bytes: Bytes) {
        let session = self.session_of(peer);
        let (Some(recording), Some(state)) = (&mut self.recording, self.peers.get(&peer)) else {
            return;
        };
        let carriage = Carriage { is_stream, is_secured: session.is_some() };
        let is_known = state.holds > 0 || state.identity.is_some();
        let (at, remote, number) = (self.now, state.address, 0);
        let record = Recorded { number, at, remote, way, carriage, session, is_sealed, bytes };
        recording.recorder.record(peer, is_known, record);
    }

    /// Whether what goes over the wire in sessions is recorded.
    fn records_sessions(&self) -> bool {
        self.recording.as_ref().is_some_and(|it| it.keys.is_some())
    }

    /// Before a datagram at the port for coaps is handled.
    pub(super) fn record_arrival(&mut self, bytes: &[u8]) {
        if self.records_sessions()
            && let Some(recording) = &mut self.recording
        {
            recording.arrived = Some(Bytes::copy_from_slice(bytes));
        }
    }

    /// After it was handled: what belongs to a handshake is recorded with it. Anything else waits for a
    /// session to say that it is genuine.
    pub(super) fn record_handled(&mut self, from: SocketAddr) {
        let Some(recording) = &mut self.recording else { return };
        let is_handshake = |it: &Bytes| it.first().is_some_and(|it| HANDSHAKE_RECORDS.contains(it));
        let Some(bytes) = recording.arrived.take_if(|it| is_handshake(it)) else { return };
        let endpoint = self.sessions.as_ref().map(|it| &it.endpoint);
        let session = endpoint.and_then(|it| it.session_of_datagram(from, &bytes));
        session.into_iter().for_each(|session| {
            self.record_opening(session, from, Way::Received, false, bytes.clone());
        });
    }

    /// The datagram at hand has brought data of a session.
    pub(super) fn record_genuine(&mut self, peer: PeerId) {
        let arrived = self.recording.as_mut().and_then(|it| it.arrived.take());
        if let Some(bytes) = arrived {
            self.record(peer, Way::Received, false, true, bytes);
        }
    }

    /// A datagram leaves the port for coaps.
    pub(super) fn record_datagram(&mut self, to: SocketAddr, bytes: &Bytes) {
        if !self.records_sessions() {
            return;
        }
        let Some(sessions) = &self.sessions else { return };
        let Some(session) = sessions.endpoint.session_of_datagram(to, bytes) else { return };
        match (bytes.first(), sessions.peer(session)) {
            (Some(kind), _) if HANDSHAKE_RECORDS.contains(kind) => {
                self.record_opening(session, to, Way::Sent, false, bytes.clone());
            }
            (_, Some(peer)) => self.record(peer, Way::Sent, false, true, bytes.clone()),
            _ => {}
        }
    }

    /// What goes over a stream of TLS. What comes before the session is established opens it.
    pub(super) fn record_stream(
        &mut self,
        peer: PeerId,
        session: SessionId,
        way: Way,
        bytes: &[u8],
    ) {
        if !self.records_sessions() {
            return;
        }
        let Some(state) = self.peers.get(&peer) else { return };
        let (address, bytes) = (state.address, Bytes::copy_from_slice(bytes));
        match state.identity {
            Some(_) => self.record(peer, way, true, true, bytes),
            None => self.record_opening(session, address, way, true, bytes),
        }
    }

    fn record_opening(
        &mut self,
        session: SessionId,
        remote: SocketAddr,
        way: Way,
        is_stream: bool,
        bytes: Bytes,
    ) {
        let Some(recording) = &mut self.recording else { return };
        let carriage = Carriage { is_stream, is_secured: true };
        let (number, at, session_id) = (0, self.now, Some(session));
        let record = Recorded {
            number,
            at,
            remote,
            way,
            carriage,
            session: session_id,
            is_sealed: true,
            bytes,
        };
        recording.recorder.record_opening(session, record);
        self.record_secrets(session);
    }

    /// Keeps the secrets that a session has just got.
    pub(super) fn record_secrets(&mut self, session: SessionId) {
        let Some(recording) = &mut self.recording else { return };
        let secrets = recording.keys.as_ref().map(|keys| keys.take()).unwrap_or_default();
        recording.recorder.openings().add_secrets(session, secrets);
    }

    pub(super) fn record_established(&mut self, session: SessionId) {
        self.recorder_mut().into_iter().for_each(|it| it.openings().establish(session));
    }

    pub(super) fn record_failed(&mut self, session: SessionId) {
        self.recorder_mut().into_iter().for_each(|it| it.openings().forget(session));
    }
}
