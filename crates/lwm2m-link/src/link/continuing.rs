//! A held peer of a client goes on in a new session of the same identity.

use super::{Carrier, Identity, Link};
use crate::sessions::SecurityEvent;
use lwm2m_coap::PeerId;
use lwm2m_dtls::{Cause, SessionId};

impl Link {
    /// The session of a peer is over, and a new one may continue it.
    ///
    /// Where another session has taken its address, what is under way waits for that. Otherwise the
    /// peer is gone for now: requests fail and observations end.
    pub(super) fn cut_off(&mut self, peer: PeerId, identity: &lwm2m_dtls::Identity, cause: Cause) {
        let Some(state) = self.peers.get(&peer) else { return };
        let is_held = state.holds > 0;
        let waits = is_held && cause == Cause::Replaced;
        if let (true, Some(sessions)) = (is_held, &mut self.sessions) {
            let earlier = sessions.by_identity.cut_off(identity, peer);
            if let Some(earlier) = earlier.filter(|it| *it != peer) {
                self.give_up(earlier, Cause::Replaced);
            }
        }
        if !waits {
            self.give_up(peer, cause);
        }
    }

    /// The session of a peer is over, and with it all that is pending.
    pub(super) fn give_up(&mut self, peer: PeerId, cause: Cause) {
        self.tell(SecurityEvent::Ended { peer, cause });
        self.lose(peer);
    }

    /// A peer has a path again.
    pub(super) fn reconnect(&mut self, peer: PeerId) {
        let identity = self.peers.get(&peer).and_then(|it| it.identity.as_deref());
        if let (Some(Identity::Secured(identity)), Some(sessions)) = (identity, &mut self.sessions)
        {
            sessions.by_identity.reconnect(identity, peer);
        }
    }

    /// Lets the held peer of an identity go on in its new session.
    pub(super) fn go_on_in(&mut self, session: SessionId, identity: &lwm2m_dtls::Identity) {
        let Some(kept) = self.kept(identity, session) else { return };
        if let Some((new, _)) = self.peer_in(session) {
            self.go_on(kept, new);
        }
    }

    /// Whose message this is: that of the peer whose session it came in, or of the held peer of the
    /// same identity, if it answers a request of that one or notifies of its observation.
    pub(super) fn recognise(&mut self, peer: PeerId, message: &[u8]) -> PeerId {
        let Some(state) = self.peers.get(&peer).filter(|it| it.holds == 0) else { return peer };
        let (Some(Identity::Secured(identity)), Carrier::Session(session)) =
            (state.identity.as_deref(), state.carrier)
        else {
            return peer;
        };
        match self.kept(identity, session) {
            Some(kept) if self.coap.is_addressed(kept, message) && self.go_on(kept, peer) => kept,
            _ => peer,
        }
    }

    /// The held peer of an identity besides the one in `session`: the one that is cut off, or else
    /// the latest.
    fn kept(&self, identity: &lwm2m_dtls::Identity, session: SessionId) -> Option<PeerId> {
        let sessions = self.sessions.as_ref()?;
        let cut_off = sessions.by_identity.is_cut_off(identity);
        let open = sessions.by_identity.sessions(identity).iter().rev();
        let open = open.filter(|it| **it != session).filter_map(|it| sessions.peer(*it));
        let is_held = |peer: &PeerId| self.peers.get(peer).is_some_and(|it| it.holds > 0);
        cut_off.into_iter().chain(open).find(is_held)
    }

    fn go_on(&mut self, kept: PeerId, new: PeerId) -> bool {
        let goes_on = self.rebind(self.now, kept, new).is_ok();
        if goes_on {
            self.tell(SecurityEvent::Moved { peer: kept });
        }
        goes_on
    }
}
