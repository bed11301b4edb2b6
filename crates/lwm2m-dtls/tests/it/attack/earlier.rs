//! An earlier session of a device that was barred is worthless.

use super::{second_client, with_ids};
use crate::reference::{Hello, SERVER_HELLO, messages, record, records};
use crate::support::{
    KEY, Pair, SERVER, Store, address, connected, data, deliver, events, psk_config, psk_profile,
    server_config, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{
    Alert, Cause, CipherSuite, ClientProfile, ClientSecurity, Config, Credentials, Endpoint, Error,
    Event, Reason, Resumption, TicketKey,
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

/// Offers an earlier session. Returns whether the server resumed it.
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
pub(crate) fn a_changed_key_ends_what_the_old_one_began() {
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
        // With its new key the client does not offer it.
        let profile = psk_profile(b"another key");
        assert_eq!(resumes(&mut pair, profile, &earlier), Some(false));
    }
}

#[test]
pub(crate) fn an_expired_certificate_is_not_resumed() {
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
pub(crate) fn other_authorities_end_what_the_old_ones_began() {
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
    // A client that is still trusted must prove it again.
    let mut store = x509_store();
    store.authorities.push(data!("other.cert").into());
    pair.server = Endpoint::new(with_tickets(store), [5; 32]);
    assert_eq!(resumes(&mut pair, profile(), &earlier), Some(false));
}

/// The offer of a session reveals to eavesdroppers that the client is the same.
#[test]
pub(crate) fn a_client_offers_only_what_it_would_make_anew() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.settle();
    let earlier = resumption(&mut pair);
    let named = ClientProfile { server_name: Some("a.example".into()), ..psk_profile(KEY) };
    let soon = Duration::from_secs(1);
    for (profile, later, is_offered) in [
        (psk_profile(KEY), soon, true),
        (psk_profile(b"another key"), soon, false),
        (named, soon, false),
        (psk_profile(KEY), Duration::from_secs(86_400), false),
    ] {
        let (now, profile) = (pair.now + later, Arc::new(profile));
        pair.client.resume(now, address(SERVER), profile, earlier.clone()).expect("good");
        let hello = pair.client.poll_transmit().expect("a hello").payload;
        let offered = Hello::parse(&messages(&hello)[0].2).session_id;
        assert_eq!(!offered.is_empty(), is_offered);
    }
}

#[test]
pub(crate) fn a_suite_that_one_side_has_given_up_is_not_resumed() {
    let config = || {
        let mut config = psk_config();
        config.ticket_key = Some(TicketKey::new([9; 16]));
        config
    };
    let other = vec![CipherSuite::PSK_WITH_AES_128_CCM];
    for by_server in [true, false] {
        let mut pair = Pair::new(Config::default(), config());
        pair.connect(psk_profile(KEY));
        pair.settle();
        let earlier = resumption(&mut pair);
        let mut profile = psk_profile(KEY);
        if by_server {
            let mut config = config();
            config.suites.clone_from(&other);
            pair.server = Endpoint::new(config, [7; 32]);
        } else {
            profile.suites.clone_from(&other);
        }
        assert_eq!(resumes(&mut pair, profile, &earlier), Some(false), "{by_server}");
    }
}

/// How a client reacts to the answer to its offer, if `part` is replaced by `other`.
fn altered_answer(part: &[u8], other: &[u8]) -> Reason {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.settle();
    let (earlier, profile) = (resumption(&mut pair), Arc::new(psk_profile(KEY)));
    pair.client.resume(pair.now, address(SERVER), profile, earlier).expect("good");
    pair.exchange(&mut |up, datagram| {
        let mut datagram = datagram.to_vec();
        if !up && datagram[13] == SERVER_HELLO {
            // After the headers, version, random value and session id.
            let at = datagram[92..].windows(part.len()).position(|it| it == part).expect("it");
            datagram[92 + at..][..part.len()].copy_from_slice(other);
        }
        vec![datagram]
    });
    match events(&mut pair.client).as_slice() {
        [Event::Failed { reason, .. }] => reason.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
pub(crate) fn a_session_goes_on_with_what_it_was_made_with() {
    let other_suite = altered_answer(&[0xc0, 0xa8], &[0xc0, 0xa4]);
    assert_eq!(other_suite, Reason::IllegalParameter);
    // Another offered extension in place of extended master secret.
    let other_secret = altered_answer(&[0, 23, 0, 0], &[0, 22, 0, 0]);
    assert_eq!(other_secret, Reason::ResumptionRefused);
}

#[test]
pub(crate) fn who_is_barred_during_a_handshake_does_not_get_in() {
    let keys = Arc::new(OneKey(Mutex::new(KEY.to_vec())));
    let mut config = Config::default();
    config.credentials = Some(keys.clone());
    let mut pair = Pair::new(Config::default(), config);
    pair.connect(psk_profile(KEY));
    let mut held = Vec::new();
    pair.exchange(&mut |up, datagram| {
        let mut parts = records(datagram);
        if parts.last().is_none_or(|last| last.epoch == 0) {
            return deliver(up, datagram);
        }
        // The server knows the client's identity, but has not received its Finished.
        let finished = parts.pop().expect("a record");
        held = record(finished.content, 1, finished.sequence, &finished.body);
        parts.iter().map(|it| record(it.content, 0, it.sequence, &it.body)).collect()
    });
    *keys.0.lock().expect("no panic") = b"another key".to_vec();
    pair.server.handle_datagram(pair.now, pair.client_address, &held);
    let said = events(&mut pair.server);
    assert!(matches!(said[..], [Event::Failed { reason: Reason::WrongKey, .. }]), "{said:?}");
}

#[test]
pub(crate) fn a_fatal_alert_ends_the_session_for_good() {
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
    // close_notify is not an error: the session may be resumed.
    let mut pair = Pair::new(Config::default(), psk_config());
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    let earlier = resumption(&mut pair);
    pair.client.close(session).expect("established");
    pair.settle();
    assert_eq!(resumes(&mut pair, psk_profile(KEY), &earlier), Some(true));
}

#[test]
pub(crate) fn an_imported_session_is_not_imported_again_when_it_is_closed() {
    let key = TicketKey::new([5; 16]);
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.settle();
    let session = connected(&mut pair.server);
    let sealed = pair.server.export(session, &key).expect("established");
    let imported = pair.server.import(&sealed, &key).expect("our export");
    pair.server.close(imported).expect("established");
    assert_eq!(pair.server.import(&sealed, &key), Err(Error::AlreadyOpen));
    assert_eq!(pair.server.session_count(), 0);
}

#[test]
pub(crate) fn peers_without_credentials_are_shut_out_at_once() {
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
