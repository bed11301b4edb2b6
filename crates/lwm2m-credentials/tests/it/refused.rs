//! What is told of a client whose endpoint name was not believed.

use crate::harness::{by_certificate, by_psk, by_raw};
use lwm2m_credentials::{Mismatch, RefusedName};
use lwm2m_dtls::Identity;

const ADDRESS: &str = "192.0.2.1:5";

fn line(identity: Option<Identity>, claimed: Option<&str>, reason: Mismatch) -> String {
    let address = ADDRESS.parse().unwrap();
    RefusedName::new(address, identity.as_ref(), claimed, reason).unwrap().to_string()
}

#[test]
fn one_line_says_which_client_and_why_and_what_to_do() {
    let line = line(Some(by_psk(b"a\n")), Some("b\n"), Mismatch::OtherEndpoint);
    assert!(!line.contains('\n'), "{line}");
    for part in [ADDRESS, r#""a\n""#, r#"endpoint "b\n""#, "authenticated identity", "give"] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn each_identity_is_described() {
    for (identity, described) in [
        (Some(by_psk(b"id")), "(pre-shared key of \"id\")"),
        (Some(by_raw(1)), "(raw public key)"),
        (Some(by_certificate(Some("cn"))), "(certificate of \"cn\")"),
        (Some(by_certificate(None)), "(certificate of \"\")"),
        (None, "(no security)"),
    ] {
        let line = line(identity, None, Mismatch::UnknownIdentity);
        assert!(line.contains(described) && line.contains(") was refused: "), "{line}");
    }
}

#[test]
fn each_reason_has_its_remedy() {
    let reasons = [Mismatch::OtherEndpoint, Mismatch::UnknownIdentity, Mismatch::CredentialsNeeded];
    let remedies = reasons.map(|reason| {
        let line = line(None, Some("a"), reason);
        assert!(line.contains(&reason.to_string()), "{line}");
        line.rsplit_once("; ").unwrap().1.to_owned()
    });
    assert!(remedies.iter().all(|remedy| remedy.contains("endpoint") || remedy.contains("name")));
    assert!(remedies[0] != remedies[1] && remedies[1] != remedies[2]);
}

#[test]
fn a_client_without_any_name_is_not_worth_a_line() {
    let address = ADDRESS.parse().unwrap();
    assert_eq!(RefusedName::new(address, None, None, Mismatch::NoName), None);
    let told = RefusedName::new(address, None, None, Mismatch::CredentialsNeeded);
    let told = told.unwrap();
    assert_eq!(
        (told.address, told.claimed, told.reason),
        (address, None, Mismatch::CredentialsNeeded)
    );
    assert_eq!(told.identity, None);
}
