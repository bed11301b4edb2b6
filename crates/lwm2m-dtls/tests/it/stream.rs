//! TLS on streams in every mode, cut and altered at every place.

use crate::reference::{ClientScript, greet};
use crate::support::{
    CLIENT, IDENTITY, KEY, SERVER, address, at_a_good_time, backends, data, events, psk_config,
    psk_profile, rpk, server_config, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{
    Alert, Backend, Cause, CipherSuite, ClientProfile, Config, Endpoint, Error, Event, Identity,
    Reason, Resumption, SessionId, TicketKey,
};
use lwm2m_time::Instant;
use std::sync::Arc;

const NOW: Instant = Instant::ZERO;

/// A client and a server with a connection between them.
pub(crate) struct Connection {
    pub(crate) client: (Endpoint, SessionId),
    pub(crate) server: (Endpoint, SessionId),
    /// The number of bytes delivered at once.
    pub(crate) cut: usize,
}

impl Connection {
    pub(crate) fn new(mut client: Config, mut server: Config, profile: ClientProfile) -> Self {
        [client.backend, server.backend] = backends();
        let (mut client, mut server) =
            (Endpoint::new(client, [1; 32]), Endpoint::new(server, [2; 32]));
        let ours = client.connect_stream(NOW, address(SERVER), Arc::new(profile), None);
        let theirs = server.accept_stream(NOW, address(CLIENT)).expect("room");
        Self {
            client: (client, ours.expect("a good profile")),
            server: (server, theirs),
            cut: 1 << 20,
        }
    }

    /// A new connection between the same endpoints.
    fn again(&mut self, profile: ClientProfile, resumption: Option<Arc<Resumption>>) {
        let client = &mut self.client;
        client.1 = client
            .0
            .connect_stream(NOW, address(SERVER), Arc::new(profile), resumption)
            .expect("a good profile");
        self.server.1 = self.server.0.accept_stream(NOW, address(CLIENT)).expect("room");
    }

    /// Delivers bytes both ways until there are none; `alter` may change them.
    pub(crate) fn carry(&mut self, mut alter: impl FnMut(bool, &mut Vec<u8>)) {
        loop {
            let up = drain(&mut self.client.0);
            let down = drain(&mut self.server.0);
            if up.is_empty() && down.is_empty() {
                return;
            }
            for (to_server, mut bytes) in [(true, up), (false, down)] {
                alter(to_server, &mut bytes);
                let (to, session) = if to_server { &mut self.server } else { &mut self.client };
                for part in bytes.chunks(self.cut) {
                    to.handle_stream(NOW, *session, part);
                }
            }
        }
    }

    pub(crate) fn settle(&mut self) {
        self.carry(|_, _| {});
    }
}

fn drain(endpoint: &mut Endpoint) -> Vec<u8> {
    std::iter::from_fn(|| endpoint.poll_stream()).flat_map(|(_, bytes)| bytes).collect()
}

/// Server configuration and client profile of each mode that both backends have.
fn modes() -> Vec<(Config, ClientProfile)> {
    let (rpk_profile, rpk_store) = rpk();
    let root = data!("root.cert");
    let modes = [
        (psk_config(), psk_profile(KEY)),
        (server_config(x509_store()), x509_profile(CertificateUsage::TrustAnchorAssertion, root)),
        (server_config(rpk_store), rpk_profile),
    ];
    let count = if backends().iter().all(|it| it.has_raw_public_keys()) { 3 } else { 2 };
    let modes = modes.into_iter().take(count);
    modes.map(|(config, profile)| (at_a_good_time(config), profile)).collect()
}

pub(crate) fn identity(endpoint: &mut Endpoint) -> Identity {
    match events(endpoint).as_slice() {
        [Event::Connected { identity, .. }] => identity.clone(),
        other => panic!("not connected: {other:?}"),
    }
}

#[test]
pub(crate) fn every_mode_in_pieces_of_any_length() {
    for (config, profile) in modes() {
        for cut in [1, 2, 7, 100, 100_000] {
            let mut connection =
                Connection::new(at_a_good_time(Config::default()), config.clone(), profile.clone());
            connection.cut = cut;
            connection.settle();
            identity(&mut connection.client.0);
            let known = identity(&mut connection.server.0);
            assert_eq!(connection.server.0.identity(connection.server.1), Some(&known));
            let long = vec![7; 40_000];
            connection.client.0.send(NOW, connection.client.1, b"up").expect("established");
            connection.server.0.send(NOW, connection.server.1, &long).expect("established");
            connection.settle();
            assert_eq!(crate::support::received(&mut connection.server.0), [b"up"]);
            assert_eq!(crate::support::received(&mut connection.client.0).concat(), long);
        }
    }
}

#[test]
pub(crate) fn every_suite() {
    for suite in CipherSuite::SERVER_DEFAULTS {
        let mut failures = 0;
        for (config, mut profile) in modes() {
            profile.suites = vec![suite];
            let client = at_a_good_time(Config::default());
            let mut connection = Connection::new(client, config, profile);
            connection.settle();
            match events(&mut connection.server.0).as_slice() {
                [Event::Connected { suite: agreed, .. }] => assert_eq!(*agreed, suite),
                _ => failures += 1,
            }
        }
        // A suite is for pre-shared keys, or for the two modes with signatures.
        assert!(failures == 1 || failures == 2, "{suite}: {failures}");
    }
}

#[test]
pub(crate) fn an_altered_byte_of_a_record_ends_the_connection_with_bad_record_mac() {
    for suite in CipherSuite::SERVER_DEFAULTS.iter().filter(|it| it.to_string().contains("TLS_PSK"))
    {
        for at in 5..40 {
            let mut profile = psk_profile(KEY);
            profile.suites = vec![*suite];
            let mut connection = Connection::new(Config::default(), psk_config(), profile);
            connection.settle();
            connection.client.0.send(NOW, connection.client.1, &[9; 64]).expect("established");
            events(&mut connection.client.0);
            events(&mut connection.server.0);
            connection.carry(|up, bytes| {
                if let (true, Some(byte)) = (up, bytes.get_mut(at)) {
                    *byte ^= 1;
                }
            });
            let of_server = events(&mut connection.server.0);
            assert!(
                matches!(
                    of_server[..],
                    [Event::Closed { cause: Cause::Broken(Alert::BAD_RECORD_MAC), .. }]
                ),
                "{of_server:?}"
            );
            let of_client = events(&mut connection.client.0);
            assert!(
                matches!(
                    of_client[..],
                    [Event::Closed { cause: Cause::Alert(Alert::BAD_RECORD_MAC), .. }]
                ),
                "{of_client:?}"
            );
        }
    }
}

/// Whether the byte is the minor version of an unprotected record, which nothing protects. Mbed TLS
/// accepts several major versions, too.
fn is_version(mut bytes: &[u8], mut at: usize) -> bool {
    while let [_, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if at < 5 + length {
            return at == 2 || at == 1 && backends() != [Backend::Native; 2];
        }
        (at, bytes) = (at - 5 - length, &rest[length..]);
    }
    false
}

#[test]
pub(crate) fn an_altered_byte_of_the_handshake_never_yields_a_connection() {
    // Fewer places if the test runs with several backends.
    let step = if backends() == [Backend::Native; 2] { 1 } else { 19 };
    for (config, profile) in modes() {
        let mut length = 0;
        let client = at_a_good_time(Config::default());
        let mut whole = Connection::new(client.clone(), config.clone(), profile.clone());
        whole.carry(|_, bytes| length += bytes.len());
        for at in (0..length).step_by(step) {
            let mut connection = Connection::new(client.clone(), config.clone(), profile.clone());
            let (mut seen, mut covered) = (0, true);
            connection.carry(|_, bytes| {
                if let Some(at) = at.checked_sub(seen).filter(|at| *at < bytes.len()) {
                    covered = !is_version(bytes, at);
                    bytes[at] ^= 0x10;
                }
                seen += bytes.len();
            });
            let both = [events(&mut connection.client.0), events(&mut connection.server.0)];
            let up = both.iter().filter(|it| matches!(it.as_slice(), [Event::Connected { .. }]));
            assert!(up.count() < 2 || !covered, "{at}: {both:?}");
        }
    }
}

#[test]
pub(crate) fn close_notify_goes_both_ways_and_a_bare_end_is_a_truncation() {
    let mut connection = Connection::new(Config::default(), psk_config(), psk_profile(KEY));
    connection.settle();
    events(&mut connection.client.0);
    events(&mut connection.server.0);
    connection.client.0.close(connection.client.1).expect("established");
    let up = drain(&mut connection.client.0);
    connection.server.0.handle_stream(NOW, connection.server.1, &up);
    assert!(!drain(&mut connection.server.0).is_empty(), "no close_notify in answer");
    let of_client = events(&mut connection.client.0);
    assert!(matches!(of_client[..], [Event::Closed { cause: Cause::ByUs, .. }]));
    let of_server = events(&mut connection.server.0);
    assert!(matches!(of_server[..], [Event::Closed { cause: Cause::ByPeer, .. }]));

    connection.again(psk_profile(KEY), None);
    connection.settle();
    events(&mut connection.server.0);
    let session = connection.server.1;
    connection.server.0.handle_stream_end(NOW, session);
    let of_server = events(&mut connection.server.0);
    assert!(matches!(of_server[..], [Event::Closed { cause: Cause::Truncated, .. }]));
    assert_eq!(connection.server.0.identity(session), None);
}

#[test]
pub(crate) fn sessions_are_resumed_by_id_and_by_ticket() {
    for ticket in [None, Some(TicketKey::new([5; 16]))] {
        let mut config = psk_config();
        config.ticket_key = ticket;
        let mut connection = Connection::new(Config::default(), config, psk_profile(KEY));
        connection.settle();
        let of_client = events(&mut connection.client.0);
        let [Event::Connected { resumption: Some(resumption), resumed: false, .. }] =
            of_client.as_slice()
        else {
            panic!("nothing to resume")
        };
        events(&mut connection.server.0);
        connection.again(psk_profile(KEY), Some(Arc::clone(resumption)));
        connection.settle();
        for endpoint in [&mut connection.client.0, &mut connection.server.0] {
            let events = events(endpoint);
            assert!(matches!(events[..], [Event::Connected { resumed: true, .. }]), "{events:?}");
        }
        connection.server.0.send(NOW, connection.server.1, b"down").expect("established");
        connection.settle();
        assert_eq!(crate::support::received(&mut connection.client.0), [b"down"]);
        // A session of a stream is not resumed on datagrams.
        let (client, profile) = (&mut connection.client.0, Arc::new(psk_profile(KEY)));
        client.resume(NOW, address(SERVER), profile, Arc::clone(resumption)).expect("a profile");
        let hello = client.poll_transmit().expect("a hello").payload;
        assert_eq!(hello[13 + 12 + 2 + 32], 0, "a session id is offered");
    }
}

#[test]
pub(crate) fn a_hello_in_the_clear_ends_an_established_connection() {
    let mut connection = Connection::new(Config::default(), psk_config(), psk_profile(KEY));
    connection.settle();
    events(&mut connection.server.0);
    let mut other = Endpoint::new(Config::default(), [3; 32]);
    let profile = Arc::new(psk_profile(KEY));
    other.connect_stream(NOW, address(SERVER), profile, None).expect("a profile");
    connection.server.0.handle_stream(NOW, connection.server.1, &drain(&mut other));
    let of_server = events(&mut connection.server.0);
    assert!(matches!(of_server[..], [Event::Closed { cause: Cause::Broken(_), .. }]));
}

#[test]
pub(crate) fn a_broken_connection_is_not_resumed() {
    for breaks in [false, true] {
        let mut connection = Connection::new(Config::default(), psk_config(), psk_profile(KEY));
        connection.settle();
        let of_client = events(&mut connection.client.0);
        let [Event::Connected { resumption: Some(earlier), .. }] = of_client.as_slice() else {
            panic!("nothing to resume")
        };
        let last: &[u8] = if breaks { b"\x17\x03\x03\0\x01a" } else { &[] };
        connection.server.0.handle_stream(NOW, connection.server.1, last);
        connection.server.0.handle_stream_end(NOW, connection.server.1);
        events(&mut connection.server.0);
        drain(&mut connection.server.0);
        connection.again(psk_profile(KEY), Some(Arc::clone(earlier)));
        connection.settle();
        match events(&mut connection.server.0).as_slice() {
            [Event::Connected { resumed, .. }] => assert_ne!(*resumed, breaks),
            other => panic!("{other:?}"),
        }
    }
}

// proves: TLS-02
#[test]
pub(crate) fn the_application_protocol_is_agreed_on_or_refused_but_not_demanded() {
    let with = |mut config: Config, protocol: &'static [u8]| {
        config.application_protocol = Some(protocol.into());
        config
    };
    let run = |client: Config| {
        let mut connection = Connection::new(client, with(psk_config(), b"coap"), psk_profile(KEY));
        connection.settle();
        (events(&mut connection.client.0), events(&mut connection.server.0))
    };
    let connected = |events: &[Event]| matches!(events, [Event::Connected { .. }]);
    for client in [Config::default(), with(Config::default(), b"coap")] {
        let (of_client, of_server) = run(client);
        assert!(connected(&of_client) && connected(&of_server));
    }
    let (told, refused) = run(with(Config::default(), b"h2"));
    assert!(matches!(refused[..], [Event::Failed { reason: Reason::NoApplicationProtocol, .. }]));
    let alert = Alert::NO_APPLICATION_PROTOCOL;
    assert!(
        matches!(told[..], [Event::Failed { reason: Reason::PeerAlert(it), .. }] if it == alert)
    );
}

#[test]
pub(crate) fn what_is_no_tls_and_who_is_silent_is_cut_off() {
    let version_2 = b"\x80\x2e\x01\x03\x03\0\x15\0\0\0\x10\0\0\x2f";
    for bytes in
        [&b"GET / HTTP/1.1\r\n"[..], version_2, b"\x16\x03\x01\xff\xff", b"\x17\x03\x03\0\x01a"]
    {
        let mut server = Endpoint::new(psk_config(), [2; 32]);
        let session = server.accept_stream(NOW, address(CLIENT)).expect("room");
        server.handle_stream(NOW, session, bytes);
        assert!(matches!(events(&mut server)[..], [Event::Failed { .. }]), "{bytes:?}");
        assert!(!drain(&mut server).is_empty(), "no alert");
    }
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    server.accept_stream(NOW, address(CLIENT)).expect("room");
    let at = server.poll_timeout().expect("a deadline");
    server.handle_timeout(at);
    assert!(matches!(events(&mut server)[..], [Event::Failed { reason: Reason::Timeout, .. }]));
    assert_eq!(server.poll_timeout(), None);
}

/// The first bytes of a client.
fn psk_hello() -> Vec<u8> {
    let mut client = Endpoint::new(Config::default(), [1; 32]);
    let profile = Arc::new(psk_profile(KEY));
    client.connect_stream(NOW, address(SERVER), profile, None).expect("a profile");
    drain(&mut client)
}

/// The alert by which a server refuses these first bytes, which is that of its reason.
fn refusal_of(bytes: &[u8]) -> Alert {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let session = server.accept_stream(NOW, address(CLIENT)).expect("room");
    server.handle_stream(NOW, session, bytes);
    let told = events(&mut server);
    let [Event::Failed { reason, .. }] = told.as_slice() else { panic!("{told:?}") };
    let alert = reason.alert().expect("one for every refusal");
    assert_eq!(drain(&mut server)[5..], [2, alert.0]);
    assert_eq!(server.poll_timeout(), None);
    alert
}

#[test]
pub(crate) fn nothing_comes_after_a_hello_in_its_record() {
    let hello = psk_hello();
    for more in [&[0][..], &[20, 0, 0, 0]] {
        let mut longer = [&hello, more].concat();
        let length = u16::try_from(longer.len() - 5).expect("short");
        longer[3..5].copy_from_slice(&length.to_be_bytes());
        assert_eq!(refusal_of(&longer), Alert::UNEXPECTED_MESSAGE);
    }
}

#[test]
pub(crate) fn records_that_none_may_send_are_answered_by_the_alert_for_them() {
    let long = [&[22, 3, 3, 0x40, 1][..], &vec![1; 0x4001]].concat();
    let empty = [22, 3, 3, 0, 0];
    for (record, alert) in
        [(&long[..], Alert::RECORD_OVERFLOW), (&empty, Alert::UNEXPECTED_MESSAGE)]
    {
        assert_eq!(refusal_of(record), alert);
    }
    // A record of an unknown type after the handshake.
    let mut connection = Connection::new(Config::default(), psk_config(), psk_profile(KEY));
    connection.settle();
    events(&mut connection.server.0);
    connection.server.0.handle_stream(NOW, connection.server.1, &[24, 3, 3, 0, 1, 0]);
    let told = events(&mut connection.server.0);
    let cause = Cause::Broken(Alert::UNEXPECTED_MESSAGE);
    assert!(matches!(&told[..], [Event::Closed { cause: it, .. }] if *it == cause), "{told:?}");
}

#[test]
pub(crate) fn neither_data_nor_half_a_message_comes_before_the_change_of_keys() {
    let change = [20, 3, 3, 0, 1, 1];
    for early in [[23, 3, 3, 0, 1, 9], [22, 3, 3, 0, 1, 20]] {
        let mut connection = Connection::new(Config::default(), psk_config(), psk_profile(KEY));
        connection.carry(|to_server, bytes| {
            let at = bytes.windows(change.len()).position(|record| record == change);
            if let (true, Some(at)) = (to_server, at) {
                bytes.splice(at..at, early);
            }
        });
        let told = events(&mut connection.server.0);
        let [Event::Failed { reason, .. }] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(*reason, Reason::UnexpectedMessage);
    }
}

#[test]
pub(crate) fn versions_before_1_2_are_refused() {
    let hello = psk_hello();
    // After the headers of record and message.
    assert_eq!(hello[9..11], [3, 3]);
    for minor in [0, 1, 2] {
        let mut old = hello.clone();
        old[10] = minor;
        assert_eq!(refusal_of(&old), Alert::PROTOCOL_VERSION);
    }
}

#[test]
pub(crate) fn unknown_identity_and_wrong_key_are_told_apart() {
    let failed = |profile| {
        let mut connection = Connection::new(Config::default(), psk_config(), profile);
        connection.settle();
        match events(&mut connection.server.0).as_slice() {
            [Event::Failed { reason, .. }] => reason.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(failed(psk_profile(b"0123456789abcdeF")), Reason::BadRecord);
    let mut profile = psk_profile(KEY);
    if let lwm2m_dtls::ClientSecurity::Psk { identity, .. } = &mut profile.security {
        *identity = [IDENTITY, b"x"].concat().into();
    }
    assert!(matches!(failed(profile), Reason::UnknownIdentity { .. }));
}

#[test]
pub(crate) fn one_host_cannot_take_all_places() {
    let mut config = psk_config();
    config.max_handshakes_per_host = 2;
    let mut connection = Connection::new(Config::default(), config, psk_profile(KEY));
    fn accept(it: &mut Connection, from: &str) -> Result<SessionId, Error> {
        it.server.0.accept_stream(NOW, address(from))
    }
    accept(&mut connection, "192.0.2.1:2").expect("room");
    accept(&mut connection, "192.0.2.9:1").expect("another host");
    assert!(events(&mut connection.server.0).is_empty());
    // The oldest of the host gives way to the next one, unless it is finished.
    for established in [true, false, false] {
        if established {
            connection.settle();
            identity(&mut connection.client.0);
            events(&mut connection.server.0);
            accept(&mut connection, "192.0.2.1:3").expect("room");
            assert!(events(&mut connection.server.0).is_empty());
        }
        let evicted = accept(&mut connection, "192.0.2.1:4").expect("room");
        let said = events(&mut connection.server.0);
        let [Event::Failed { session: Some(oldest), reason: Reason::Evicted, .. }] = said[..]
        else {
            panic!("{said:?}")
        };
        assert!(oldest < evicted);
    }
}

#[test]
pub(crate) fn handshakes_on_datagrams_leave_room_for_streams() {
    let mut config = psk_config();
    config.max_handshakes = 1;
    let mut server = Endpoint::new(config, [2; 32]);
    greet(&mut server, &ClientScript::default());
    assert_eq!(server.handshake_count(), 1);
    assert!(server.accept_stream(NOW, address(CLIENT)).is_ok());
    assert_eq!(server.accept_stream(NOW, address(CLIENT)), Err(Error::TooManySessions));
}
