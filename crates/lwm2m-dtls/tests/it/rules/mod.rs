//! Rules of RFC 5246, 6347, 7627 and 7925 that a well-behaved peer cannot test: against the
//! reference, or by looking at the sent bytes.

mod agreement;
pub(crate) mod flights;
pub(crate) mod hellos;
pub(crate) mod offers;
pub(crate) mod secrets;

use crate::reference::{ALERT, Seen, records};
use crate::support::{KEY, SERVER, address, events, psk_profile};
use lwm2m_dtls::{Config, Endpoint, Event, Reason};
use lwm2m_time::Instant;
use std::sync::Arc;

pub(super) const NOW: Instant = Instant::ZERO;
pub(super) const FATAL: u8 = 2;

/// A client that has started a handshake; its hello is to be polled.
pub(super) fn client() -> Endpoint {
    let mut client = Endpoint::new(Config::default(), [1; 32]);
    client.connect(NOW, address(SERVER), Arc::new(psk_profile(KEY))).expect("a good profile");
    client
}

pub(super) fn reason(endpoint: &mut Endpoint) -> Reason {
    match events(endpoint).as_slice() {
        [Event::Failed { reason, .. }] => reason.clone(),
        other => panic!("{other:?}"),
    }
}

/// The number of the alert in the last record of a datagram, which must be fatal and unprotected.
pub(super) fn alert_of(datagram: &[u8]) -> u8 {
    match records(datagram).last() {
        Some(Seen { content: ALERT, body, .. }) if body[0] == FATAL => body[1],
        other => panic!("{other:?}"),
    }
}
