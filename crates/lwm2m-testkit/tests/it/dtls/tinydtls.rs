//! tinydtls, the DTLS of Wakaama and RIOT, in both roles.

use super::keys::{IDENTITY, PSK, WRONG_PSK, psk_client, psk_client_with, psk_server, with_ids};
use super::{echo, failed, hasty, talk_to, talk_with, their_client, their_server};
use lwm2m_dtls::{CipherSuite, Config, Identity, Reason};
use lwm2m_testkit::peer::Stack::Tinydtls;

#[test]
fn psk_with_their_client() {
    // It does not support Connection IDs and ignores the extension.
    for config in [psk_server(), with_ids(psk_server(), 6)] {
        let Some((mut ours, mut theirs)) = their_client(Tinydtls, config, &[PSK]) else { return };
        let session = talk_with(&mut ours, &mut theirs);
        assert_eq!(session.suite, CipherSuite::PSK_WITH_AES_128_CCM_8);
        assert_eq!(session.identity, Identity::Psk(IDENTITY.into()));
    }
}

#[test]
fn psk_with_their_server() {
    let Some((mut ours, theirs)) = their_server(Tinydtls, Config::default(), &[PSK]) else {
        return;
    };
    let session = talk_to(&mut ours, theirs.address, psk_client(), None);
    assert_eq!(session.suite, CipherSuite::PSK_WITH_AES_128_CCM_8);
    for number in 0..100 {
        echo(&mut ours, session.session, &format!("line {number}"));
    }
}

#[test]
fn their_client_with_a_wrong_key_is_refused() {
    let Some((mut ours, mut theirs)) = their_client(Tinydtls, hasty(psk_server()), &[WRONG_PSK])
    else {
        return;
    };
    theirs.process.tell("let me in").unwrap();
    assert_eq!(failed(&mut ours), Reason::WrongKey);
}

#[test]
fn our_client_with_a_wrong_key_is_refused() {
    let Some((mut ours, theirs)) = their_server(Tinydtls, hasty(Config::default()), &[PSK]) else {
        return;
    };
    ours.connect(theirs.address, psk_client_with(b"0123456789abcdeg"), None).unwrap();
    let reason = failed(&mut ours);
    assert!(matches!(reason, Reason::WrongKey | Reason::PeerAlert(_)), "{reason:?}");
}
