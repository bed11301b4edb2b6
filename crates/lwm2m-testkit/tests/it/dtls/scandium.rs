//! Scandium, the DTLS of Californium and Leshan, in both roles.

use super::keys::{
    IDENTITY, PSK, WRONG_PSK, psk_client, psk_client_with, psk_server, rpk_client, rpk_server,
    with_ids, x509_client, x509_server,
};
use super::{echo, established, failed, hasty, open, receive, talk_to, talk_with};
use lwm2m_dtls::{CipherSuite, Config, Event, Identity, Reason};
use lwm2m_testkit::peer::{DtlsEndpoint, SecuredPeer, Stack};

const RPK_CLIENT: &str = "rpk=client.key.pem:client.pub.pem:server.pub.pem";
const RPK_SERVER: &str = "rpk=server.key.pem:server.pub.pem:client.pub.pem";
const X509_CLIENT: &str = "x509=client.key.pem:client.cert.pem:root.cert.pem";
const X509_SERVER: &str = "x509=server.key.pem:server.cert.pem,intermediate.cert.pem:root.cert.pem";

const PSK_SUITES: [CipherSuite; 8] = [
    CipherSuite::PSK_WITH_AES_128_CCM_8,
    CipherSuite::PSK_WITH_AES_128_CCM,
    CipherSuite::PSK_WITH_AES_128_GCM_SHA256,
    CipherSuite::PSK_WITH_AES_128_CBC_SHA256,
    CipherSuite::ECDHE_PSK_WITH_AES_128_CCM_8_SHA256,
    CipherSuite::ECDHE_PSK_WITH_AES_128_CCM_SHA256,
    CipherSuite::ECDHE_PSK_WITH_AES_128_GCM_SHA256,
    CipherSuite::ECDHE_PSK_WITH_AES_128_CBC_SHA256,
];

const ECDSA_SUITES: [CipherSuite; 4] = [
    CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM_8,
    CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM,
    CipherSuite::ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
];

fn their_client(config: Config, options: &[&str]) -> Option<(DtlsEndpoint, SecuredPeer)> {
    super::their_client(Stack::Scandium, config, options)
}

fn their_server(config: Config, options: &[&str]) -> Option<(DtlsEndpoint, SecuredPeer)> {
    super::their_server(Stack::Scandium, config, options)
}

/// The option that leaves a peer a single suite.
fn only(suite: CipherSuite) -> String {
    format!("DTLS.CIPHER_SUITES={}", suite.name().unwrap())
}

#[test]
fn psk_with_their_client() {
    for suite in PSK_SUITES {
        let Some((mut ours, mut theirs)) = their_client(psk_server(), &[PSK, &only(suite)]) else {
            return;
        };
        let session = talk_with(&mut ours, &mut theirs);
        assert_eq!((session.suite, session.resumed), (suite, false));
        assert_eq!(session.identity, Identity::Psk(IDENTITY.into()));
    }
}

#[test]
fn psk_with_their_server() {
    let names = PSK_SUITES.map(|suite| suite.name().unwrap()).join(", ");
    let suites = format!("DTLS.CIPHER_SUITES={names}");
    let Some((_, theirs)) = their_server(Config::default(), &[PSK, &suites]) else { return };
    for suite in PSK_SUITES {
        let mut ours = open(Config::default());
        let mut profile = psk_client();
        profile.suites = vec![suite];
        assert_eq!(talk_to(&mut ours, theirs.address, profile, None).suite, suite);
    }
}

#[test]
fn raw_public_keys_with_their_client() {
    let Some((mut ours, mut theirs)) = their_client(rpk_server(), &[RPK_CLIENT]) else { return };
    let session = talk_with(&mut ours, &mut theirs);
    assert!(matches!(session.identity, Identity::RawPublicKey(_)));
}

#[test]
fn raw_public_keys_with_their_server() {
    let Some((mut ours, theirs)) = their_server(Config::default(), &[RPK_SERVER]) else { return };
    talk_to(&mut ours, theirs.address, rpk_client(), None);
}

#[test]
fn certificates_with_their_client() {
    for suite in ECDSA_SUITES {
        let options = [X509_CLIENT, &only(suite)];
        let Some((mut ours, mut theirs)) = their_client(x509_server(), &options) else { return };
        let session = talk_with(&mut ours, &mut theirs);
        assert_eq!(session.suite, suite);
        let Identity::Certificate(identity) = session.identity else { panic!("no certificate") };
        assert_eq!(identity.common_name.as_deref(), Some(IDENTITY));
    }
}

#[test]
fn certificates_with_their_server() {
    let names = ECDSA_SUITES.map(|suite| suite.name().unwrap()).join(", ");
    let suites = format!("DTLS.CIPHER_SUITES={names}");
    let Some((_, theirs)) = their_server(Config::default(), &[X509_SERVER, &suites]) else {
        return;
    };
    for suite in ECDSA_SUITES {
        let mut ours = open(Config::default());
        let mut profile = x509_client();
        profile.suites = vec![suite];
        assert_eq!(talk_to(&mut ours, theirs.address, profile, None).suite, suite);
    }
}

#[test]
fn their_client_with_a_wrong_key_is_refused() {
    let Some((mut ours, mut theirs)) = their_client(hasty(psk_server()), &[WRONG_PSK]) else {
        return;
    };
    theirs.process.tell("let me in").unwrap();
    assert_eq!(failed(&mut ours), Reason::WrongKey);
}

#[test]
fn our_client_with_a_wrong_key_is_refused() {
    let Some((mut ours, theirs)) = their_server(hasty(Config::default()), &[PSK]) else { return };
    ours.connect(theirs.address, psk_client_with(b"0123456789abcdeg"), None).unwrap();
    assert_eq!(failed(&mut ours), Reason::WrongKey);
}

#[test]
fn connection_ids_of_either_side() {
    for (our_length, their_length) in [(4, 0), (1, 8), (8, 6)] {
        let ids = format!("DTLS.CONNECTION_ID_LENGTH={their_length}");
        let config = with_ids(psk_server(), our_length);
        let Some((mut ours, mut theirs)) = their_client(config, &[PSK, &ids]) else { return };
        talk_with(&mut ours, &mut theirs);
        let connected = theirs.wait_for("connected").unwrap();
        let cid = connected.rsplit("CID=").next().unwrap();
        assert_eq!(cid.len(), 2 * our_length, "{connected}");
        let config = with_ids(Config::default(), our_length);
        let Some((mut ours, mut theirs)) = their_server(config, &[PSK, &ids]) else { return };
        talk_to(&mut ours, theirs.address, psk_client(), None);
        let connected = theirs.wait_for("connected").unwrap();
        let cid = connected.rsplit("CID=").next().unwrap();
        assert_eq!(cid.len(), 2 * our_length, "{connected}");
    }
}

#[test]
fn our_client_moves_with_the_connection_id_of_their_server() {
    let ids = "DTLS.CONNECTION_ID_LENGTH=6";
    let Some((mut ours, mut theirs)) = their_server(Config::default(), &[PSK, ids]) else {
        return;
    };
    let session = talk_to(&mut ours, theirs.address, psk_client(), None).session;
    theirs.wait_for("connected").unwrap();
    for text in ["from a second port", "from a third port"] {
        ours.rebind().unwrap();
        echo(&mut ours, session, text);
    }
}

#[test]
fn their_client_moves_with_our_connection_id() {
    let ids = "DTLS.CONNECTION_ID_LENGTH=0";
    let config = with_ids(psk_server(), 6);
    let Some((mut ours, mut theirs)) = their_client(config, &[PSK, ids]) else { return };
    let session = talk_with(&mut ours, &mut theirs).session;
    let (real, moved) = (ours.endpoint.peer(session).unwrap(), "192.0.2.7:4711".parse().unwrap());
    ours.disguise(real, moved);
    for text in ["first from there", "second from there"] {
        theirs.process.tell(text).unwrap();
        receive(&mut ours, text);
        ours.send(session, text).unwrap();
        ours.turn();
        assert_eq!(theirs.wait_for("data").unwrap(), text);
    }
    assert_eq!(ours.endpoint.peer(session), Some(moved));
}

#[test]
fn their_client_resumes_a_session() {
    for security in [(psk_server(), PSK), (x509_server(), X509_CLIENT)] {
        let Some((mut ours, mut theirs)) = their_client(security.0, &[security.1]) else { return };
        let first = talk_with(&mut ours, &mut theirs);
        theirs.process.tell("resume").unwrap();
        let second = talk_with(&mut ours, &mut theirs);
        assert!(!first.resumed && second.resumed);
        assert_eq!(first.identity, second.identity);
    }
}

#[test]
fn our_client_resumes_a_session() {
    let Some((mut ours, mut theirs)) = their_server(Config::default(), &[PSK]) else { return };
    let first = talk_to(&mut ours, theirs.address, psk_client(), None);
    let second = talk_to(&mut ours, theirs.address, psk_client(), first.resumption);
    assert!(!first.resumed && second.resumed);
    assert!(theirs.wait_for("connected").unwrap().contains("full"));
    assert!(theirs.wait_for("connected").unwrap().contains("resumed"));
}

#[test]
fn their_client_limits_our_records() {
    for option in ["DTLS.MAX_FRAGMENT_SIZE=BYTES_512", "DTLS.RECORD_SIZE_LIMIT=200"] {
        let options = [X509_CLIENT, option];
        let Some((mut ours, mut theirs)) = their_client(x509_server(), &options) else { return };
        let session = talk_with(&mut ours, &mut theirs).session;
        assert!(ours.send(session, &"x".repeat(513)).is_err(), "{option}");
    }
}

#[test]
fn our_client_limits_their_records() {
    let Some((mut ours, theirs)) = their_server(Config::default(), &[X509_SERVER]) else { return };
    let mut profile = x509_client();
    profile.max_fragment_length = Some(1);
    talk_to(&mut ours, theirs.address, profile, None);
    let mut profile = x509_client();
    profile.record_size_limit = Some(200);
    talk_to(&mut ours, theirs.address, profile, None);
}

#[test]
fn their_close_is_heard() {
    let Some((mut ours, mut theirs)) = their_client(psk_server(), &[PSK]) else { return };
    theirs.process.tell("hello").unwrap();
    let session = established(&mut ours).session;
    receive(&mut ours, "hello");
    theirs.process.tell("close").unwrap();
    let closed = |event: &Event| match event {
        Event::Closed { session: closed, .. } => Some(*closed),
        _ => None,
    };
    assert_eq!(ours.until(closed).unwrap(), session);
}
