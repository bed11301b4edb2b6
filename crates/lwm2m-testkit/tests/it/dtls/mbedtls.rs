//! Mbed TLS, by its own test programs, which talk HTTP: the client asks for a page and shows what
//! comes, the server answers with a page.

use super::keys::{self, IDENTITY, psk_client, psk_server, with_ids, x509_client, x509_server};
use super::{Established, established, failed, hasty, open, receive, with_tickets};
use lwm2m_dtls::{CipherSuite, ClientProfile, Config, Identity, Reason, Resumption, SessionId};
use lwm2m_testkit::peer::{DtlsEndpoint, SecuredPeer};
use std::sync::Arc;

const PSK: &str = "psk=30313233343536373839616263646566 psk_identity=urn:dev:1";
const PSK_SUITES: [(CipherSuite, &str); 5] = [
    (CipherSuite::PSK_WITH_AES_128_CCM_8, "TLS-PSK-WITH-AES-128-CCM-8"),
    (CipherSuite::PSK_WITH_AES_128_CCM, "TLS-PSK-WITH-AES-128-CCM"),
    (CipherSuite::PSK_WITH_AES_128_GCM_SHA256, "TLS-PSK-WITH-AES-128-GCM-SHA256"),
    (CipherSuite::PSK_WITH_AES_128_CBC_SHA256, "TLS-PSK-WITH-AES-128-CBC-SHA256"),
    (CipherSuite::ECDHE_PSK_WITH_AES_128_CBC_SHA256, "TLS-ECDHE-PSK-WITH-AES-128-CBC-SHA256"),
];
const ECDSA_SUITES: [(CipherSuite, &str); 4] = [
    (CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM_8, "TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8"),
    (CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM, "TLS-ECDHE-ECDSA-WITH-AES-128-CCM"),
    (CipherSuite::ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256"),
    (CipherSuite::ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "TLS-ECDHE-ECDSA-WITH-AES-128-CBC-SHA256"),
];
const X509_CLIENT: &str = "server_name=server.example.com auth_mode=required ca_file=root.cert.pem \
                           crt_file=client.cert.pem key_file=client.key.pem";
const X509_SERVER: &str = "auth_mode=required ca_file=root.cert.pem crt_file=server.chain.pem \
                           key_file=server.key.pem";

fn their_client(ours: &DtlsEndpoint, options: &str) -> Option<SecuredPeer> {
    let arguments = format!("server_addr=127.0.0.1 server_port=PORT dtls=1 {options}");
    let to = Some(ours.address().unwrap());
    SecuredPeer::program("ssl_client2", &arguments, &keys::folder(), to).unwrap()
}

fn their_server(options: &str) -> Option<SecuredPeer> {
    let arguments = format!("server_addr=127.0.0.1 server_port=PORT dtls=1 {options}");
    SecuredPeer::program("ssl_server2", &arguments, &keys::folder(), None).unwrap()
}

/// Answers this many of the client's requests.
fn answer(ours: &mut DtlsEndpoint, theirs: &mut SecuredPeer, session: SessionId, requests: usize) {
    for number in 0..requests {
        receive(ours, "GET");
        let page = format!("page {number} of our server\n");
        ours.send(session, &page).unwrap();
        ours.turn();
        theirs
            .process
            .wait_for("our page", |line| line.contains(page.trim()).then_some(()))
            .unwrap();
    }
}

fn ask(ours: &mut DtlsEndpoint, session: SessionId) {
    ours.send(session, "GET / HTTP/1.0\r\n\r\n").unwrap();
    receive(ours, "Mbed TLS Test Server");
}

fn only(mut profile: ClientProfile, suite: CipherSuite) -> ClientProfile {
    profile.suites = vec![suite];
    profile
}

fn talk_to(
    ours: &mut DtlsEndpoint,
    theirs: &SecuredPeer,
    profile: ClientProfile,
    resumption: Option<Arc<Resumption>>,
) -> Established {
    ours.connect(theirs.address, profile, resumption).unwrap();
    let session = established(ours);
    ask(ours, session.session);
    session
}

#[test]
fn psk_with_their_client() {
    for (suite, name) in PSK_SUITES {
        let mut ours = open(psk_server());
        let options = format!("{PSK} force_ciphersuite={name}");
        let Some(mut theirs) = their_client(&ours, &options) else { return };
        let session = established(&mut ours);
        assert_eq!(session.suite, suite);
        assert_eq!(session.identity, Identity::Psk(IDENTITY.into()));
        answer(&mut ours, &mut theirs, session.session, 1);
    }
}

#[test]
fn psk_with_their_server() {
    for (suite, name) in PSK_SUITES {
        let options = format!("{PSK} force_ciphersuite={name}");
        let Some(theirs) = their_server(&options) else { return };
        let session =
            talk_to(&mut open(Config::default()), &theirs, only(psk_client(), suite), None);
        assert_eq!(session.suite, suite);
    }
}

#[test]
fn certificates_with_their_client() {
    for (suite, name) in ECDSA_SUITES {
        let mut ours = open(x509_server());
        let options = format!("{X509_CLIENT} force_ciphersuite={name}");
        let Some(mut theirs) = their_client(&ours, &options) else { return };
        let session = established(&mut ours);
        assert_eq!(session.suite, suite);
        assert!(matches!(session.identity, Identity::Certificate(_)));
        answer(&mut ours, &mut theirs, session.session, 1);
    }
}

#[test]
fn certificates_with_their_server() {
    for (suite, name) in ECDSA_SUITES {
        let options = format!("{X509_SERVER} force_ciphersuite={name}");
        let Some(theirs) = their_server(&options) else { return };
        let session =
            talk_to(&mut open(Config::default()), &theirs, only(x509_client(), suite), None);
        assert_eq!(session.suite, suite);
    }
}

/// What is authenticated is seen by a known answer, and by altered bytes, in `lwm2m-dtls`: `known_answers`.
// proves: CID-03
#[test]
fn connection_ids_as_in_rfc_9146() {
    let ids = ["cid_val=c1c2c3c4c5", "", "cid_val=c1", "cid_val=00", "cid_val=c1c2"];
    for ((suite, name), their_cid) in PSK_SUITES.into_iter().zip(ids) {
        let options = format!("{PSK} force_ciphersuite={name} cid=1 {their_cid}");
        let mut ours = open(with_ids(psk_server(), 6));
        let asking = format!("{options} exchanges=3");
        let Some(mut theirs) = their_client(&ours, &asking) else { return };
        let session = established(&mut ours);
        answer(&mut ours, &mut theirs, session.session, 3);
        let told = |line: &str| line.contains("Peer CID (length 6 Bytes)").then_some(());
        theirs.process.wait_for("our Connection ID", told).unwrap();

        let theirs = their_server(&format!("{options} exchanges=10")).unwrap();
        let mut ours = open(with_ids(Config::default(), 3));
        let session = talk_to(&mut ours, &theirs, only(psk_client(), suite), None);
        ask(&mut ours, session.session);
    }
}

#[test]
fn our_server_follows_their_client_by_its_connection_id() {
    let mut ours = open(with_ids(psk_server(), 6));
    let options = format!("{PSK} cid=1 exchanges=4");
    let Some(mut theirs) = their_client(&ours, &options) else { return };
    let session = established(&mut ours).session;
    answer(&mut ours, &mut theirs, session, 1);
    let (real, moved) = (ours.endpoint.peer(session).unwrap(), "192.0.2.7:4711".parse().unwrap());
    ours.disguise(real, moved);
    answer(&mut ours, &mut theirs, session, 2);
    assert_eq!(ours.endpoint.peer(session), Some(moved));
    answer(&mut ours, &mut theirs, session, 1);
}

#[test]
fn their_client_resumes_by_id_and_by_ticket() {
    for (config, tickets) in [(psk_server(), 0), (with_tickets(psk_server()), 1)] {
        let mut ours = open(config);
        let options = format!("{PSK} tickets={tickets} reconnect=1");
        let Some(mut theirs) = their_client(&ours, &options) else { return };
        for resumed in [false, true] {
            let session = established(&mut ours);
            assert_eq!(session.resumed, resumed, "tickets={tickets}");
            answer(&mut ours, &mut theirs, session.session, 1);
        }
    }
}

#[test]
fn our_client_resumes_by_id_and_by_ticket() {
    for tickets in [0, 1] {
        let options = format!("{PSK} tickets={tickets} exchanges=1");
        let Some(theirs) = their_server(&options) else { return };
        let mut ours = open(Config::default());
        let first = talk_to(&mut ours, &theirs, psk_client(), None);
        ours.endpoint.close(first.session).unwrap();
        let second = talk_to(&mut ours, &theirs, psk_client(), first.resumption);
        assert!(!first.resumed && second.resumed, "tickets={tickets}");
    }
}

#[test]
fn small_datagrams_and_short_records() {
    let mut config = x509_server();
    config.mtu = 256;
    let mut ours = open(config);
    let options = format!("{X509_CLIENT} mtu=256 max_frag_len=512 exchanges=2");
    let Some(mut theirs) = their_client(&ours, &options) else { return };
    let session = established(&mut ours).session;
    assert!(ours.send(session, &"x".repeat(513)).is_err());
    answer(&mut ours, &mut theirs, session, 2);
    let theirs = their_server(&format!("{X509_SERVER} mtu=256")).unwrap();
    let mut config = Config::default();
    config.mtu = 256;
    talk_to(&mut open(config), &theirs, x509_client(), None);
}

#[test]
fn wrong_keys_are_refused() {
    let mut ours = open(hasty(psk_server()));
    let wrong = "psk=30313233343536373839616263646567 psk_identity=urn:dev:1";
    let Some(_theirs) = their_client(&ours, wrong) else { return };
    assert_eq!(failed(&mut ours), Reason::WrongKey);
    let theirs = their_server(wrong).unwrap();
    let mut ours = open(hasty(Config::default()));
    ours.connect(theirs.address, psk_client(), None).unwrap();
    let reason = failed(&mut ours);
    assert!(matches!(reason, Reason::WrongKey | Reason::PeerAlert(_)), "{reason:?}");
}
