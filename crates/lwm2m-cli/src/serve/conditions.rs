//! The conditions of a request: RFC 7252 section 5.10.8.

use lwm2m_coap::{OptionNumber, Request};

/// What a request finds at its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Absent,
    /// With its entity-tag, if it has one.
    Present(Option<[u8; 4]>),
}

/// Whether the request may be carried out: If-Match names the state that is there, or any, and
/// If-None-Match wants none.
pub(super) fn hold(request: &Request, target: Target) -> bool {
    let mut wanted = request.options.get_all(OptionNumber::IF_MATCH).peekable();
    let is_free = wanted.peek().is_none();
    let none = request.options.get(OptionNumber::IF_NONE_MATCH).is_some();
    match target {
        Target::Absent => is_free,
        Target::Present(etag) => {
            let is = |tag: &[u8]| tag.is_empty() || etag.is_some_and(|etag| tag == etag);
            !none && (is_free || wanted.any(is))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resources::{Answer, Resources};
    use super::*;
    use lwm2m_coap::Code;

    // proves: COAP-28
    #[test]
    fn conditions_hold_for_every_method_and_resource() {
        let any = (OptionNumber::IF_MATCH, &b""[..]);
        let other = (OptionNumber::IF_MATCH, &b"\x07"[..]);
        let absent = (OptionNumber::IF_NONE_MATCH, &b""[..]);
        let first = (OptionNumber::IF_MATCH, &[0, 0, 0, 1][..]);
        let mut resources = Resources::default();
        for (code, path, conditions, expected) in [
            (Code::GET, "test", &[any][..], "2.05"),
            (Code::GET, "test", &[other], "4.12"),
            (Code::GET, "large", &[other, first], "2.05"),
            (Code::PUT, "test", &[first], "2.04"),
            (Code::PUT, "test", &[first], "4.12"),
            (Code::PUT, "test", &[absent], "4.12"),
            (Code::PUT, "create1", &[any], "4.12"),
            (Code::PUT, "create1", &[absent], "2.01"),
            (Code::POST, "large-create", &[absent], "4.12"),
            (Code::DELETE, "create1", &[other], "4.12"),
            (Code::DELETE, "create1", &[any], "2.02"),
            (Code::PUT, "obs", &[other], "4.12"),
            (Code::PUT, "obs", &[any], "2.04"),
            (Code::DELETE, "obs", &[absent], "4.12"),
            (Code::DELETE, "obs", &[any], "2.02"),
            (Code::DELETE, "obs", &[any], "4.12"),
            (Code::IPATCH, "validate", &[other], "4.12"),
            (Code::FETCH, "query", &[absent], "4.12"),
            (Code::GET, ".well-known/core", &[absent], "4.12"),
            (Code::GET, "nothing", &[any], "4.12"),
            (Code::GET, "nothing", &[absent], "4.04"),
        ] {
            let mut request = Request::new(code);
            conditions.iter().for_each(|(number, tag)| request.options.push(*number, tag));
            let Answer::Now(response) = resources.handle(path, &request) else { panic!() };
            assert_eq!(response.code.to_string(), expected, "{code} {path} {conditions:?}");
        }
    }
}
