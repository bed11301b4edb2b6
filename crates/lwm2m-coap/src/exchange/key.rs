//! Which requests are the same: RFC 7252 section 5.6, RFC 7959 section 2.4, RFC 9175 section 3.

use crate::message::{Code, OptionNumber, Options};

/// The cache key of a request: the parts that select a representation and its blocks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RequestKey {
    code: Code,
    options: Options,
    selector: Selector,
}

/// Length and digest of the body of a FETCH, which is part of its cache key (RFC 8132 section 2).
/// Empty for all other methods. Only bodies of one peer are compared, so a peer that produces a
/// collision harms only itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Selector(usize, u64);

impl Selector {
    fn new(code: Code, payload: &[u8]) -> Self {
        if code == Code::FETCH { Self(payload.len(), digest(payload)) } else { Self(0, 0) }
    }
}

impl RequestKey {
    pub(super) fn new(code: Code, options: &Options, payload: &[u8]) -> Self {
        Self { code, options: without_transfer(options), selector: Selector::new(code, payload) }
    }

    /// The bytes of the options.
    pub(super) fn bytes(&self) -> usize {
        self.options.as_encoded().len()
    }

    /// Whether a request for another block continues this one. It may omit the body.
    pub(super) fn is_continued_by(&self, code: Code, options: &Options, payload: &[u8]) -> bool {
        self.code == code
            && self.options == without_transfer(options)
            && (payload.is_empty()
                || self.selector.0 == 0
                || self.selector == Selector::new(code, payload))
    }

    /// Whether both observe the same target, regardless of the format.
    pub(super) fn has_same_target(&self, other: &Self) -> bool {
        self.code == other.code
            && self.selector == other.selector
            && self.options.uri_path().eq(other.options.uri_path())
            && self.options.uri_query().eq(other.options.uri_query())
    }
}

/// The FNV-1a digest of a body.
pub(super) fn digest(body: &[u8]) -> u64 {
    body.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// The options that select the representation.
fn without_transfer(options: &Options) -> Options {
    filtered(options, |number| !is_transfer(number) && number != OptionNumber::REQUEST_TAG)
}

/// The options that all blocks of one request body have in common.
pub(super) fn body_options(options: &Options) -> Options {
    filtered(options, |number| !is_transfer(number))
}

/// Whether blocks with these options belong to one body. Content-Format may be missing in some of them.
pub(super) fn same_body(one: &Options, other: &Options) -> bool {
    let complete = one.content_format().is_some() && other.content_format().is_some();
    if complete || one == other {
        return one == other;
    }
    let rest = |options| filtered(options, |number| number != OptionNumber::CONTENT_FORMAT);
    rest(one) == rest(other)
}

fn filtered(options: &Options, keep: impl Fn(OptionNumber) -> bool) -> Options {
    let mut filtered = options.clone();
    if options.iter().any(|(number, _)| !keep(number)) {
        filtered.retain(keep);
    }
    filtered
}

const fn is_transfer(number: OptionNumber) -> bool {
    matches!(
        number,
        OptionNumber::OBSERVE | OptionNumber::BLOCK1 | OptionNumber::BLOCK2 | OptionNumber::ECHO
    ) || number.is_no_cache_key()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_its_definition() {
        for (body, expected) in [
            (&b""[..], 0xCBF2_9CE4_8422_2325),
            (b"a", 0xAF63_DC4C_8601_EC8C),
            (b"foobar", 0x8594_4171_F739_67E8),
        ] {
            assert_eq!(digest(body), expected, "{body:?}");
        }
    }

    #[test]
    fn a_request_for_another_block_may_omit_the_body_and_have_no_other() {
        let options = Options::new();
        let fetch = RequestKey::new(Code::FETCH, &options, b"body");
        let continues = |code, payload: &[u8]| fetch.is_continued_by(code, &options, payload);
        assert!(continues(Code::FETCH, b"body") && continues(Code::FETCH, b""));
        assert!(!continues(Code::FETCH, b"other") && !continues(Code::GET, b""));
        let get = RequestKey::new(Code::GET, &options, b"");
        assert!(get.is_continued_by(Code::GET, &options, b"whatever"));
    }
}
