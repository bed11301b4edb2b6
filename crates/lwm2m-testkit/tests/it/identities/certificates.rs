//! Certificates: the common name of the client is its endpoint name.

use super::register::{at, code, register, registered, server};
use super::{Authority, certified, own};
use lwm2m_coap::{Code, Request};
use lwm2m_server::security::{Credential, SecurityStore, Unlisted};
use std::sync::Arc;

// proves: X509-02
#[test]
fn the_common_name_is_the_endpoint_name() {
    let authority = Authority::new();
    let own = own(&authority);
    let store = Arc::new(SecurityStore::new(own.clone()));
    store.put("a", Credential::X509).unwrap();
    let mut harness = server(store);
    let a = harness.device(certified(authority.certify("a"), &own));
    assert_eq!(code(&mut harness, a, register(Some("b"))), Code::BAD_REQUEST);
    assert_eq!(harness.sim[harness.server].registrations().count(), 0);
    registered(&mut harness, a, "a");
    assert_eq!(code(&mut harness, a, register(None)), Code::CREATED);
    assert!(harness.sim[harness.server].registration("a").is_some());
    // Trusted, but not in the store.
    let c = harness.device(certified(authority.certify("c"), &own));
    assert_eq!(code(&mut harness, c, register(Some("c"))), Code::BAD_REQUEST);
    let stranger = harness.device(certified(Authority::new().certify("a"), &own));
    assert!(harness.ask_unanswered(stranger, register(Some("a"))));
}

#[test]
fn any_certificate_of_the_authority_is_enough_if_the_server_says_so() {
    let authority = Authority::new();
    let own = own(&authority).unlisted(Unlisted::Certified);
    let mut harness = server(Arc::new(SecurityStore::new(own.clone())));
    let a = harness.device(certified(authority.certify("a"), &own));
    assert_eq!(code(&mut harness, a, register(Some("b"))), Code::BAD_REQUEST);
    registered(&mut harness, a, "a");
    // A common name that is not a valid endpoint name is refused.
    let odd = harness.device(certified(authority.certify(".."), &own));
    assert_eq!(code(&mut harness, odd, register(None)), Code::BAD_REQUEST);
}

#[test]
fn a_renewed_certificate_goes_on_with_the_registration() {
    let authority = Authority::new();
    let own = own(&authority);
    let store = Arc::new(SecurityStore::new(own.clone()));
    store.put("a", Credential::X509).unwrap();
    let mut harness = server(store);
    let a = harness.device(certified(authority.certify("a"), &own));
    let location = registered(&mut harness, a, "a");
    harness.reboot(a, certified(authority.certify("a"), &own));
    assert_eq!(code(&mut harness, a, at(Request::post(), &location)), Code::CHANGED);
    assert!(harness.sim.with(harness.server, |it, now| it.remove_credential(now, "a")));
    assert!(harness.sim[harness.server].registration("a").is_none());
}
