//! Resumption by session id and ticket, extended master secret, export and import.

use crate::support::{
    FourBytes, KEY, Pair, Store, address, connected, deliver, events, psk_config, psk_profile,
    received, server_config,
};
use lwm2m_dtls::{Config, Endpoint, Error, Event, Resumption, TicketKey};
use std::sync::Arc;

/// Connects and returns what resumes the session.
fn first(pair: &mut Pair) -> Arc<Resumption> {
    pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.server);
    match events(&mut pair.client).as_slice() {
        [Event::Connected { resumption: Some(resumption), resumed: false, .. }] => {
            Arc::clone(resumption)
        }
        other => panic!("{other:?}"),
    }
}

/// Whether a session was resumed. Either way it carries data.
fn again(pair: &mut Pair, resumption: &Arc<Resumption>) -> bool {
    let (profile, resumption) = (Arc::new(psk_profile(KEY)), Arc::clone(resumption));
    let server = address(crate::support::SERVER);
    let session =
        pair.client.resume(pair.now, server, profile, resumption).expect("a good profile");
    let mut lost = false;
    pair.run(&mut |up, datagram| {
        // The end of the client's last flight is lost once.
        if up && datagram[0] == 20 && !std::mem::replace(&mut lost, true) {
            return Vec::new();
        }
        deliver(up, datagram)
    });
    let resumed = |events: Vec<Event>| {
        let last = events.into_iter().find_map(|event| match event {
            Event::Connected { resumed, .. } => Some(resumed),
            _ => None,
        });
        last.expect("connected")
    };
    let both = [resumed(events(&mut pair.client)), resumed(events(&mut pair.server))];
    assert_eq!(both[0], both[1]);
    pair.client.send(pair.now, session, b"again").expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.server), [b"again"]);
    both[0]
}

#[test]
fn by_session_id_while_the_server_remembers() {
    let mut pair = Pair::new(Config::default(), psk_config());
    let resumption = first(&mut pair);
    assert!(again(&mut pair, &resumption));
    pair.server = Endpoint::new(psk_config(), [7; 32]);
    assert!(!again(&mut pair, &resumption));
}

// proves: SEC-20
#[test]
fn by_ticket_even_after_a_restart_with_the_same_key() {
    let with_tickets = |key| {
        let mut config = psk_config();
        config.session_cache = 0;
        config.ticket_key = Some(TicketKey::new(key));
        config
    };
    let mut pair = Pair::new(Config::default(), with_tickets([9; 16]));
    let resumption = first(&mut pair);
    let mut restarted = Pair::new(Config::default(), with_tickets([9; 16]));
    assert!(again(&mut restarted, &resumption));
    let mut other_key = Pair::new(Config::default(), with_tickets([8; 16]));
    assert!(!again(&mut other_key, &resumption));
    let mut later = Pair::new(Config::default(), with_tickets([9; 16]));
    later.now = later.now + std::time::Duration::from_secs(90_000);
    assert!(!again(&mut later, &resumption));
}

#[test]
fn a_new_connection_id_is_agreed_on_when_resuming() {
    let mut config = psk_config();
    config.connection_ids = Some(Arc::new(FourBytes));
    let mut pair = Pair::new(Config::default(), config);
    let resumption = first(&mut pair);
    assert!(again(&mut pair, &resumption));
}

#[test]
fn who_is_known_no_longer_does_not_resume() {
    let key = || Some(TicketKey::new([9; 16]));
    let mut config = psk_config();
    config.ticket_key = key();
    let mut pair = Pair::new(Config::default(), config);
    let resumption = first(&mut pair);
    let mut config = server_config(Store {
        psk: [(b"somebody else".to_vec(), KEY.to_vec())].into(),
        ..Store::default()
    });
    config.ticket_key = key();
    pair.server = Endpoint::new(config, [7; 32]);
    let (profile, server) = (Arc::new(psk_profile(KEY)), address(crate::support::SERVER));
    pair.client.resume(pair.now, server, profile, resumption).expect("a good profile");
    pair.settle();
    assert!(matches!(events(&mut pair.server).as_slice(), [Event::Failed { .. }]));
}

/// The bound by which a million devices fit one machine.
#[test]
fn an_idle_session_takes_at_most_512_bytes() {
    const SESSIONS: u16 = 1000;
    let config = || {
        let mut config = psk_config();
        config.connection_ids = Some(Arc::new(FourBytes));
        config
    };
    let key = TicketKey::new([5; 16]);
    let exported: Vec<_> = (0..SESSIONS)
        .map(|index| {
            let mut pair = Pair::new(Config::default(), config());
            let seed = [index.to_be_bytes(); 16].concat().try_into().expect("32 bytes");
            pair.server = Endpoint::new(config(), seed);
            pair.client_address.set_port(index);
            pair.connect(psk_profile(KEY));
            pair.settle();
            let session = connected(&mut pair.server);
            pair.server.export(session, &key).expect("established")
        })
        .collect();
    let mut server = Endpoint::new(config(), [9; 32]);
    let heap = allocation_counter::measure(|| {
        for session in &exported {
            server.import(session, &key).expect("our export");
        }
    });
    assert_eq!(server.session_count(), usize::from(SESSIONS));
    let each = heap.bytes_current / i64::from(SESSIONS);
    assert!(each <= 512, "{each} bytes");
}

#[test]
fn a_session_goes_on_after_export_and_import() {
    let config = || {
        let mut config = psk_config();
        config.connection_ids = Some(Arc::new(FourBytes));
        config
    };
    let key = TicketKey::new([5; 16]);
    let mut pair = Pair::new(Config::default(), config());
    let to_server = pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.client);
    let to_client = connected(&mut pair.server);
    let sealed = pair.server.export(to_client, &key).expect("established");
    assert_eq!(pair.server.send(pair.now, to_client, b"x"), Err(Error::UnknownSession));
    pair.server = Endpoint::new(config(), [3; 32]);
    let mut altered = sealed.clone();
    altered[20] ^= 1;
    assert_eq!(pair.server.import(&altered, &key), Err(Error::ImportRefused));
    assert_eq!(pair.server.import(&sealed, &TicketKey::new([6; 16])), Err(Error::ImportRefused));
    let imported = pair.server.import(&sealed, &key).expect("our export");
    assert_eq!(pair.server.import(&sealed, &key), Err(Error::AlreadyOpen));
    pair.client.send(pair.now, to_server, b"up").expect("established");
    pair.server.send(pair.now, imported, b"down").expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.server), [b"up"]);
    assert_eq!(received(&mut pair.client), [b"down"]);
}
