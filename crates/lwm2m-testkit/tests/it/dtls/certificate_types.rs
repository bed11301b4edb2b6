//! Which type of certificate each side shows, RFC 7250 section 4, where one of them has both: GnuTLS
//! names the types of its priority string in their order, even those that it has no key for.

use super::keys::{self, rpk_and_x509_server, rpk_client, x509_client};
use super::{established, failed, hasty, open};
use lwm2m_dtls::{Config, Identity, Reason};
use lwm2m_testkit::peer::{DtlsEndpoint, SecuredPeer};

const RAW: &str = "--rawpkkeyfile client.key.pem --rawpkfile client.pub.pem";
const CERTIFICATE: &str = "--x509keyfile client.key.pem --x509certfile client.cert.pem";
const SERVER: &str = "--rawpkkeyfile server.key.pem --rawpkfile server.pub.pem --x509keyfile server.key.pem \
                      --x509certfile server.chain.pem --x509cafile root.cert.pem";
const DTLS12: &str = "--priority NORMAL:-VERS-ALL:+VERS-DTLS1.2";

fn their_client(ours: &DtlsEndpoint, keys: &str, types: &str) -> Option<SecuredPeer> {
    let arguments = format!("--udp --port PORT 127.0.0.1 --insecure {keys} {DTLS12}{types}");
    let to = Some(ours.address().unwrap());
    SecuredPeer::program("gnutls-cli", &arguments, &keys::folder(), to).unwrap()
}

#[test]
fn our_server_with_both_takes_the_first_type_that_their_client_names() {
    for (keys, types, raw_client, server) in [
        (CERTIFICATE, "", false, "X.509"),
        (CERTIFICATE, ":+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK", false, "X.509"),
        (RAW, ":-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK", true, "Raw Public Key"),
        (RAW, ":-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-X509:+CTYPE-SRV-RAWPK", true, "X.509"),
        (RAW, ":-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-X509", true, "X.509"),
        (CERTIFICATE, ":-CTYPE-ALL:+CTYPE-CLI-X509:+CTYPE-SRV-RAWPK", false, "Raw Public Key"),
    ] {
        let mut ours = open(rpk_and_x509_server());
        let Some(mut theirs) = their_client(&ours, keys, types) else { return };
        let session = established(&mut ours);
        assert_eq!(matches!(session.identity, Identity::RawPublicKey(_)), raw_client, "{types}");
        // It prints nothing until data arrive.
        ours.send(session.session, "from our server\n").unwrap();
        ours.turn();
        assert_eq!(theirs.wait_for("- Certificate type: ").unwrap(), server, "{types}");
    }
}

/// RFC 7250 section 4.1 has the client leave such a type out.
#[test]
fn a_client_that_names_a_type_first_that_it_has_no_key_for_is_not_let_in() {
    let mut ours = open(hasty(rpk_and_x509_server()));
    let types = ":+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK";
    let Some(_theirs) = their_client(&ours, RAW, types) else { return };
    assert_eq!(failed(&mut ours), Reason::NoCertificate);
}

#[test]
fn their_server_with_both_shows_what_our_client_asks_for() {
    for types in [
        ":+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK",
        ":-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-CLI-X509:+CTYPE-SRV-RAWPK:+CTYPE-SRV-X509",
    ] {
        for (profile, raw) in [(rpk_client(), true), (x509_client(), false)] {
            let arguments =
                format!("--udp --port PORT --require-client-cert {SERVER} {DTLS12}{types}");
            let theirs = SecuredPeer::program("gnutls-serv", &arguments, &keys::folder(), None);
            let Some(theirs) = theirs.unwrap() else { return };
            let mut ours = open(Config::default());
            let session = super::talk_to(&mut ours, theirs.address, profile, None);
            assert_eq!(matches!(session.identity, Identity::RawPublicKey(_)), raw, "{types}");
        }
    }
}
