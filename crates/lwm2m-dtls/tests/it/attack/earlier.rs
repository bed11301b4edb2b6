//! What an earlier session is good for: nothing, once it is barred.

use super::{second_client, with_ids};
use crate::support::{
    KEY, Pair, SERVER, Store, address, connected, data, deliver, events, psk_config, psk_profile,
    server_config, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{
    Alert, Cause, ClientProfile, ClientSecurity, Config, Credentials, Endpoint, Error, Event,
    Reason, Resumption, TicketKey,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zeroize::Zeroizing;

/// A device whose key can be changed.
struct OneKey(Mutex<Vec<u8>>);

impl Credentials for OneKey {
    fn uses_psk(&self) -> bool {
        true
    }
    fn psk(&self, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(self.0.lock().expect("no panic").clone()))
    }
}

fn resumption(pair: &mut Pair) -> Arc<Resumption> {
    let said = events(&mut pair.client);
    let of = |event: &Event| match event {
        Event::Connected { resumption, .. } => resumption.clone(),
        _ => None,
    };
    said.iter().find_map(of).expect("connected and resumable")
}

/// Goes on with an earlier session; whether the server did.
fn resumes(pair: &mut Pair, profile: ClientProfile, earlier: &Arc<Resumption>) -> Option<bool> {
    events(&mut pair.server);
    let profile = Arc::new(profile);
    let earlier = Arc::clone(earlier);
    pair.client.resume(pair.now, address(SERVER), profile, earlier).expect("a good profile");
    pair.run(&mut deliver);
    let of = |event: Event| match event {
        Event::Connected { resumed, .. } => Some(resumed),
        _ => None,
    };
    events(&mut pair.server).into_iter().find_map(of)
}

#[test]
fn a_changed_key_ends_what_the_old_one_began() {
    for tickets in [false, true] {
        let keys = Arc::new(OneKey(Mutex::new(KEY.to_vec())));
        let mut config = Config::default();
        config.credentials = Some(keys.clone());
        config.ticket_key = tickets.then(|| TicketKey::new([9; 16]));
        let mut pair = Pair::new(Config::default(), config);
        pair.connect(psk_profile(KEY));
        pair.settle();
        let earlier = resumption(&mut pair);
        assert_eq!(resumes(&mut pair, psk_profile(KEY), &earlier), Some(true));
        *keys.0.lock().expect("no panic") = b"another key".to_vec();
        assert_eq!(resumes(&mut pair, psk_profile(KEY), &earlier), None);
        // With its new key the client does not even ask.
        let profile = psk_profile(b"another key");
        assert_eq!(resumes(&mut pair, profile, &earlier), Some(false));
    }
}

#[test]
fn an_expired_certificate_is_not_resumed() {
    let origin = Duration::from_secs(1_795_400_000);
    let [client, server] = [Config::default(), server_config(x509_store())].map(|mut config| {
        config.unix_time_of_origin = origin;
        config.resumption_lifetime = Duration::from_secs(10_000_000_000);
        config
    });
    let profile = || {
        let mut profile = x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
        if let ClientSecurity::Certificate { certified, .. } = &mut profile.security {
            *certified = crate::support::certified(&[data!("short.cert")], data!("short.key"));
        }
        profile
    };
    let mut pair = Pair::new(client, server);
    pair.connect(profile());
    pair.settle();
    let earlier = resumption(&mut pair);
    assert_eq!(resumes(&mut pair, profile(), &earlier), Some(true));
    pair.now = pair.now + Duration::from_secs(400_000_000);
    assert_eq!(resumes(&mut pair, profile(), &earlier), None);
    let reason = events(&mut pair.client).into_iter().find_map(|event| match event {
        Event::Failed { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason, Some(Reason::PeerAlert(Alert::CERTIFICATE_EXPIRED)));
}

#[test]
fn other_authorities_end_what_the_old_ones_began() {
    let [client, server] =
        [Config::default(), server_config(x509_store())].map(crate::support::at_a_good_time);
    let key = || Some(TicketKey::new([9; 16]));
    let mut pair = Pair::new(client, server);
    let profile = || x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
    let with_tickets = |store: Store| {
        let mut config = crate::support::at_a_good_time(server_config(store));
        config.ticket_key = key();
        config
    };
    pair.server = Endpoint::new(with_tickets(x509_store()), [3; 32]);
    pair.connect(profile());
    pair.settle();
    let earlier = resumption(&mut pair);
    assert_eq!(resumes(&mut pair, profile(), &earlier), Some(true));
    let mut store = x509_store();
    store.authorities = vec![data!("other.cert").into()];
    pair.server = Endpoint::new(with_tickets(store), [4; 32]);
    assert_eq!(resumes(&mut pair, profile(), &earlier), None);
}

#[test]
fn a_fatal_alert_ends_the_session_for_good() {
    for by_client in [true, false] {
        let mut pair = Pair::new(Config::default(), psk_config());
        let at_client = pair.connect(psk_profile(KEY));
        pair.settle();
        let earlier = resumption(&mut pair);
        let at_server = connected(&mut pair.server);
        if by_client {
            pair.client.abort(at_client, Alert::INTERNAL_ERROR).expect("established");
        } else {
            pair.server.abort(at_server, Alert::INTERNAL_ERROR).expect("established");
        }
        pair.settle();
        assert_eq!(resumes(&mut pair, psk_profile(KEY), &earlier), Some(false));
    }
    // close_notify is no error: the session may be resumed.
    let mut pair = Pair::new(Config::default(), psk_config());
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    let earlier = resumption(&mut pair);
    pair.client.close(session).expect("established");
    pair.settle();
    assert_eq!(resumes(&mut pair, psk_profile(KEY), &earlier), Some(true));
}

#[test]
fn an_imported_session_is_not_imported_again_when_it_is_closed() {
    let key = TicketKey::new([5; 16]);
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.settle();
    let session = connected(&mut pair.server);
    let copy = pair.server.snapshot(session, &key).expect("established");
    let sealed = pair.server.export(session, &key).expect("established");
    let imported = pair.server.import(&sealed, &key).expect("our export");
    pair.server.close(imported).expect("established");
    for bytes in [&sealed, &copy] {
        assert_eq!(pair.server.import(bytes, &key), Err(Error::AlreadyOpen));
    }
    assert_eq!(pair.server.session_count(), 0);
}

#[test]
fn peers_without_credentials_are_shut_out_at_once() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.server);
    let (mut other, _, _) = second_client(&mut pair, "192.0.2.9:9", Config::default());
    events(&mut pair.server);
    assert_eq!(pair.server.sessions().count(), 2);
    assert_eq!(pair.server.close_where(|_| false), 0);
    assert_eq!(pair.server.close_where(|_| true), 2);
    let said = events(&mut pair.server);
    let by_us = |event: &Event| matches!(event, Event::Closed { cause: Cause::ByUs, .. });
    assert!(said.len() == 2 && said.iter().all(by_us), "{said:?}");
    while let Some(sent) = pair.server.poll_transmit() {
        let to = if sent.peer == pair.client_address { &mut pair.client } else { &mut other };
        to.handle_datagram(pair.now, address(SERVER), &sent.payload);
    }
    assert_eq!((pair.client.session_count(), other.session_count()), (0, 0));
    assert_eq!(pair.client.send(pair.now, session, b"x"), Err(Error::UnknownSession));
}
