//! OpenSSL and GnuTLS: resumption, short records and small datagrams. Their suites and modes are
//! tests of `lwm2m-dtls`.

use super::keys::{self, psk_client, psk_server, rpk_client, rpk_server, x509_client, x509_server};
use super::{Established, echo, established, open, receive, with_tickets};
use lwm2m_dtls::{CipherSuite, ClientProfile, Config, Resumption};
use lwm2m_testkit::peer::{DtlsEndpoint, SecuredPeer};
use std::net::SocketAddr;
use std::sync::Arc;

const PSK: &str = "-psk 30313233343536373839616263646566 -psk_identity urn:dev:1";
const GNUTLS_PSK: &str = "--pskusername urn:dev:1 --pskkey 30313233343536373839616263646566";
const DTLS12_PSK: &str = "--priority NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:-CIPHER-ALL:+PSK:+ECDHE-PSK:+AES-128-CCM-8:\
     +AES-128-CCM:+AES-128-GCM:+AES-128-CBC:+SHA256";
const DTLS12_RPK: &str = "--priority NORMAL:-VERS-ALL:+VERS-DTLS1.2:-CTYPE-ALL:+CTYPE-CLI-RAWPK:\
                          +CTYPE-SRV-RAWPK";
const X509_CLIENT: &str = "-cert client.cert.pem -key client.key.pem -CAfile root.cert.pem \
                           -servername server.example.com";
const X509_SERVER: &str = "-cert server.cert.pem -key server.key.pem \
                           -cert_chain intermediate.cert.pem -CAfile root.cert.pem -Verify 2";

fn program(name: &'static str, arguments: &str, to: Option<SocketAddr>) -> Option<SecuredPeer> {
    SecuredPeer::program(name, arguments, &keys::folder(), to).unwrap()
}

fn openssl_client(ours: &DtlsEndpoint, arguments: &str) -> Option<SecuredPeer> {
    let arguments = format!("s_client -dtls1_2 -connect 127.0.0.1:PORT {arguments}");
    program("openssl", &arguments, Some(ours.address().unwrap()))
}

fn openssl_server(arguments: &str) -> Option<SecuredPeer> {
    program("openssl", &format!("s_server -dtls1_2 -accept 127.0.0.1:PORT {arguments}"), None)
}

fn gnutls_client(ours: &DtlsEndpoint, arguments: &str) -> Option<SecuredPeer> {
    let arguments = format!("--udp --port PORT 127.0.0.1 {arguments}");
    program("gnutls-cli", &arguments, Some(ours.address().unwrap()))
}

fn gnutls_server(arguments: &str) -> Option<SecuredPeer> {
    program("gnutls-serv", &format!("--udp --port PORT {arguments}"), None)
}

/// Accepts the client's next session and exchanges data both ways.
fn talk_with(ours: &mut DtlsEndpoint, theirs: &mut SecuredPeer) -> Established {
    let session = established(ours);
    theirs.process.tell("from their client").unwrap();
    receive(ours, "from their client");
    ours.send(session.session, "from our server\n").unwrap();
    ours.turn();
    let said = |line: &str| line.contains("from our server").then_some(());
    theirs.process.wait_for("from our server", said).unwrap();
    session
}

/// Connects to a server of OpenSSL, which prints its input.
fn talk_to(
    ours: &mut DtlsEndpoint,
    theirs: &mut SecuredPeer,
    profile: ClientProfile,
    resumption: Option<Arc<Resumption>>,
) -> Established {
    ours.connect(theirs.address, profile, resumption).unwrap();
    let session = established(ours);
    ours.send(session.session, "from our client\n").unwrap();
    ours.turn();
    let said = |line: &str| line.contains("from our client").then_some(());
    theirs.process.wait_for("from our client", said).unwrap();
    session
}

#[test]
fn openssl_client_resumes_by_id_and_by_ticket() {
    for (config, flag) in [(psk_server(), "-no_ticket"), (with_tickets(psk_server()), "")] {
        let mut ours = open(config);
        let name = format!("lwm2m-testkit-session-{}{flag}", std::process::id());
        let file = std::env::temp_dir().join(name);
        let saved = file.to_str().unwrap();
        let arguments = format!("{PSK} -cipher PSK-AES128-CCM8:@SECLEVEL=0 -quiet {flag}");
        let first = format!("{arguments} -sess_out {saved}");
        let Some(mut theirs) = openssl_client(&ours, &first) else { return };
        assert!(!talk_with(&mut ours, &mut theirs).resumed);
        let again = format!("{arguments} -sess_in {saved}");
        let mut theirs = openssl_client(&ours, &again).unwrap();
        assert!(talk_with(&mut ours, &mut theirs).resumed, "{flag}");
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn our_client_resumes_with_openssl_by_id_and_by_ticket() {
    for flag in ["-no_ticket", ""] {
        let arguments = format!("-nocert {PSK} -cipher PSK-AES128-CCM8:@SECLEVEL=0 {flag}");
        let Some(mut theirs) = openssl_server(&arguments) else { return };
        let mut ours = open(Config::default());
        let first = talk_to(&mut ours, &mut theirs, psk_client(), None);
        ours.endpoint.close(first.session).unwrap();
        let second = talk_to(&mut ours, &mut theirs, psk_client(), first.resumption);
        assert!(!first.resumed && second.resumed, "{flag}");
    }
}

#[test]
fn gnutls_client_resumes_by_id_and_by_ticket() {
    for (config, flag) in [(psk_server(), "--noticket"), (with_tickets(psk_server()), "")] {
        let mut ours = open(config);
        let arguments = format!("{GNUTLS_PSK} {DTLS12_PSK} --resume {flag}");
        let Some(mut theirs) = gnutls_client(&ours, &arguments) else { return };
        assert!(!established(&mut ours).resumed);
        assert!(talk_with(&mut ours, &mut theirs).resumed, "{flag}");
    }
}

#[test]
fn psk_with_the_server_of_gnutls() {
    for suite in [
        CipherSuite::PSK_WITH_AES_128_CCM_8,
        CipherSuite::PSK_WITH_AES_128_CCM,
        CipherSuite::PSK_WITH_AES_128_GCM_SHA256,
        CipherSuite::PSK_WITH_AES_128_CBC_SHA256,
        CipherSuite::ECDHE_PSK_WITH_AES_128_CBC_SHA256,
    ] {
        let arguments = format!("--pskpasswd PEERS/gnutls.psk {DTLS12_PSK}");
        let Some(theirs) = gnutls_server(&arguments) else { return };
        let mut ours = open(Config::default());
        let mut profile = psk_client();
        profile.suites = vec![suite];
        let session = super::talk_to(&mut ours, theirs.address, profile, None);
        assert_eq!(session.suite, suite);
    }
}

#[test]
fn our_client_resumes_with_gnutls() {
    for flag in ["--noticket", ""] {
        let arguments = format!("--pskpasswd PEERS/gnutls.psk {DTLS12_PSK} {flag}");
        let Some(theirs) = gnutls_server(&arguments) else { return };
        let mut ours = open(Config::default());
        let first = super::talk_to(&mut ours, theirs.address, psk_client(), None);
        ours.endpoint.close(first.session).unwrap();
        let second = super::talk_to(&mut ours, theirs.address, psk_client(), first.resumption);
        assert!(second.resumed, "{flag}");
    }
}

#[test]
fn short_records_with_openssl() {
    let mut ours = open(x509_server());
    let arguments = format!("{X509_CLIENT} -maxfraglen 512 -quiet");
    let Some(mut theirs) = openssl_client(&ours, &arguments) else { return };
    let session = talk_with(&mut ours, &mut theirs).session;
    assert!(ours.send(session, &"x".repeat(513)).is_err());
    let mut theirs = openssl_server(X509_SERVER).unwrap();
    let mut ours = open(Config::default());
    let mut profile = x509_client();
    profile.max_fragment_length = Some(1);
    let session = talk_to(&mut ours, &mut theirs, profile, None).session;
    assert!(ours.send(session, &"x".repeat(513)).is_err());
}

#[test]
fn short_records_with_gnutls() {
    let mut ours = open(rpk_server());
    let arguments = format!(
        "--insecure --rawpkkeyfile client.key.pem --rawpkfile client.pub.pem {DTLS12_RPK} \
         --recordsize 512"
    );
    let Some(mut theirs) = gnutls_client(&ours, &arguments) else { return };
    let session = talk_with(&mut ours, &mut theirs).session;
    assert!(ours.send(session, &"x".repeat(513)).is_err());
    let arguments =
        format!("--rawpkkeyfile server.key.pem --rawpkfile server.pub.pem {DTLS12_RPK}");
    let theirs = gnutls_server(&arguments).unwrap();
    let mut ours = open(Config::default());
    let mut profile = rpk_client();
    profile.record_size_limit = Some(100);
    let session = super::talk_to(&mut ours, theirs.address, profile, None).session;
    echo(&mut ours, session, &"long".repeat(20));
}

#[test]
fn certificates_in_small_datagrams() {
    let Some(mut theirs) = openssl_server(&format!("{X509_SERVER} -mtu 300")) else { return };
    let mut config = Config::default();
    config.mtu = 200;
    talk_to(&mut open(config), &mut theirs, x509_client(), None);
    let mut config = x509_server();
    config.mtu = 200;
    let mut ours = open(config);
    let arguments = "--insecure --x509keyfile client.key.pem --x509certfile client.cert.pem --mtu 300 \
         --priority NORMAL:-VERS-ALL:+VERS-DTLS1.2";
    let Some(mut theirs) = gnutls_client(&ours, arguments) else { return };
    talk_with(&mut ours, &mut theirs);
}

#[test]
fn a_mac_before_encryption_with_openssl() {
    let mut ours = open(psk_server());
    let arguments = format!("{PSK} -cipher PSK-AES128-CBC-SHA256:@SECLEVEL=0 -no_etm -quiet");
    let Some(mut theirs) = openssl_client(&ours, &arguments) else { return };
    let session = talk_with(&mut ours, &mut theirs);
    assert_eq!(session.suite, CipherSuite::PSK_WITH_AES_128_CBC_SHA256);
}
