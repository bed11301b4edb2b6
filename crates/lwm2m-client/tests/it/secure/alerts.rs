//! Alerts of the server, before and in a session.

use super::harness::{Harness, config, psk};
use crate::harness::{TEXT, address, get};
use lwm2m_client::{BootstrapAccount, Event, RegistrationError};
use lwm2m_core::Value;
use lwm2m_dtls::{Alert, Reason};

const FINAL: [u8; 11] = [42, 43, 44, 45, 46, 48, 49, 112, 113, 114, 115];
const IGNORED: [u8; 4] = [30, 41, 60, 110];
const RETRIED: [u8; 14] = [10, 20, 21, 22, 40, 47, 50, 51, 70, 71, 80, 86, 90, 111];

/// A fatal alert in clear text.
fn record(alert: u8) -> [u8; 15] {
    [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7, 0, 2, 2, alert]
}

/// A client whose handshake gets this alert.
fn alerted(alert: u8) -> Harness {
    let mut harness = Harness::new(psk());
    harness.set_reachable(false);
    harness.start();
    harness.inject(&record(alert));
    harness.settle();
    harness
}

/// The failure, and after how many seconds the next attempt follows.
fn failure(harness: &Harness) -> Option<(RegistrationError, Option<u64>)> {
    harness.events.iter().find_map(|event| match event {
        Event::RegistrationFailed { reason, retry_at, .. } => Some((
            reason.clone(),
            retry_at.map(|at| at.saturating_since(harness.sim.now).as_secs()),
        )),
        _ => None,
    })
}

// proves: SEC-26
#[test]
fn alerts_are_final_or_ignored_or_lead_to_another_attempt() {
    for alert in FINAL {
        let mut harness = alerted(alert);
        let reason = RegistrationError::Handshake(Reason::PeerAlert(Alert(alert)));
        assert_eq!(failure(&harness), Some((reason, None)), "{alert}");
        assert_eq!(harness.alert_code(), Some(Value::UnsignedInteger(alert.into())));
        harness.set_reachable(true);
        harness.run(200_000);
        assert!(harness.heard.is_empty(), "{alert}");
    }
    for alert in RETRIED {
        let mut harness = alerted(alert);
        let reason = RegistrationError::Handshake(Reason::PeerAlert(Alert(alert)));
        assert_eq!(failure(&harness), Some((reason, Some(60))), "{alert}");
        assert_eq!(harness.alert_code(), Some(Value::UnsignedInteger(alert.into())));
        harness.set_reachable(true);
        harness.run(61);
        assert!(harness.is_registered(), "{alert}");
        let read = harness.ask(get("/1/0/11").accept(TEXT));
        assert_eq!(read.payload, alert.to_string());
    }
    for alert in IGNORED {
        let mut harness = alerted(alert);
        assert_eq!((failure(&harness), harness.alert_code()), (None, None), "{alert}");
        harness.set_reachable(true);
        harness.run(2);
        assert!(harness.is_registered(), "{alert}");
    }
}

#[test]
fn a_final_alert_leads_to_the_bootstrap_server() {
    let mut config = config(psk());
    config.bootstrap = Some(BootstrapAccount::new(address(2)));
    let mut harness = Harness::with(config, super::harness::Known::default());
    harness.set_reachable(false);
    harness.sim.with(harness.client, |it, now| it.start(now));
    while harness.take().is_some() {}
    harness.inject(&record(115));
    let request = harness.take().expect("a Bootstrap-Request");
    assert!(!request.secured && request.to == address(2));
}
