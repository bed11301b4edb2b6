//! The session or connection with the bootstrap server (OMA LwM2M Transport 5.2.9).

use super::Bootstrap;
use crate::context::Context;
use crate::error::BootstrapError;
use lwm2m_coap::PeerId;
use lwm2m_dtls::Reason;

impl Bootstrap {
    /// Ends the session or connection, so that the next request makes a new one.
    pub(super) fn end_session(&mut self, cx: &mut Context) {
        let state = self.server.as_mut().filter(|state| state.has_session());
        if let Some(peer) = state.and_then(|state| state.peer.take()) {
            cx.end(peer);
        }
    }

    /// Forgets a peer that was the bootstrap server; `false` if it was not.
    pub(crate) fn forget_peer(&mut self, cx: &mut Context, peer: PeerId) -> bool {
        let state = self.server.as_mut().filter(|state| state.peer == Some(peer));
        let Some(state) = state else { return false };
        state.peer = None;
        cx.link.release(peer);
        true
    }

    /// A handshake has failed, perhaps with the bootstrap server.
    pub(crate) fn handshake_failed(&mut self, cx: &mut Context, peer: PeerId, reason: Reason) {
        if self.forget_peer(cx, peer) && self.is_under_way() {
            self.failed(cx, BootstrapError::Handshake(reason));
        }
    }
}
