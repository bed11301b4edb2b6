//! A peer whose session is not answered goes on in a new one that this side begins.

use super::{Carrier, Link};
use lwm2m_coap::PeerId;
use lwm2m_dtls::SessionId;

impl Link {
    /// Begins another session with a peer that does not answer.
    pub(super) fn renew_session(&mut self, peer: PeerId) {
        let carrier = self.peers.get(&peer).map(|it| it.carrier);
        if let (Some(Carrier::Session(session)), Some(sessions)) = (carrier, &mut self.sessions) {
            sessions.renew(self.now, peer, session);
        }
    }

    /// The new session of a peer is established: the peer goes on in it. `false` if it is gone.
    pub(super) fn renewed(&mut self, peer: PeerId, session: SessionId) -> bool {
        let Some(sessions) = &mut self.sessions else { return false };
        let Some(state) = self.peers.get_mut(&peer) else {
            // It has just been established.
            let _ = sessions.endpoint.close(session);
            return false;
        };
        if let Carrier::Session(old) =
            core::mem::replace(&mut state.carrier, Carrier::Session(session))
        {
            // Its address is that of the new one, which has replaced it.
            sessions.forget(old);
        }
        sessions.name(session, peer);
        true
    }
}
