//! What people read.

use lwm2m_coap::uri::{Host, Scheme, Uri};
use lwm2m_coap::{Code, GoneReason, OptionNumber, Options, Token};
use std::collections::HashSet;

#[test]
fn why_an_observer_is_gone_is_a_sentence_of_its_own() {
    use GoneReason::{Cancelled, Closed, Replaced, Reset, Timeout};
    let texts = [Reset, Timeout, Cancelled, Replaced, Closed].map(|reason| reason.to_string());
    assert!(texts.iter().all(|text| text.contains("observer")), "{texts:?}");
    assert_eq!(texts.iter().collect::<HashSet<_>>().len(), 5);
}

#[test]
fn what_is_debugged_can_be_read() {
    assert_eq!(format!("{:?}", Code::CONTENT), "2.05");
    let mut options = Options::new();
    assert!(options.is_empty());
    options.push(OptionNumber::URI_PATH, b"a");
    assert!(!options.is_empty());
    let debugged = format!("{options:?}");
    assert!(debugged.contains("97") && debugged.contains("Path"), "{debugged}");
}

// RFC 8323 section 8
#[test]
fn schemes_tell_what_carries_and_what_secures() {
    let table = [
        ("coap", Scheme::Coap, false, false, 5_683),
        ("coaps", Scheme::Coaps, false, true, 5_684),
        ("coap+tcp", Scheme::CoapTcp, true, false, 5_683),
        ("coaps+tcp", Scheme::CoapsTcp, true, true, 5_684),
    ];
    for (name, scheme, is_connection, is_secured, port) in table {
        let text = format!("{name}://server.example/a");
        let uri = Uri::parse(&text).unwrap();
        assert_eq!((uri.scheme, scheme.name()), (scheme, name));
        let told = (scheme.is_connection(), scheme.is_secured(), scheme.default_port());
        assert_eq!(told, (is_connection, is_secured, port), "{name}");
        assert_eq!(uri.host.to_string(), "server.example");
    }
    let literal = Uri::parse("coap://[2001:db8::1]/").unwrap();
    assert!(
        matches!(literal.host, Host::Address(_))
            && literal.host.to_string().contains("2001:db8::1")
    );
}

#[test]
fn a_token_of_no_bytes_is_empty() {
    assert!(Token::EMPTY.is_empty() && Token::new(b"").unwrap().is_empty());
    assert!(!Token::new(b"a").unwrap().is_empty());
}

// RFC 7252 section 5.4.6
#[test]
fn the_second_lowest_bit_of_an_option_is_unsafe_to_forward() {
    assert!(OptionNumber::URI_PATH.is_unsafe_to_forward());
    assert!(!OptionNumber::CONTENT_FORMAT.is_unsafe_to_forward());
}
