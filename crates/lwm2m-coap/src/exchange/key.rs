//! What makes two requests the same: RFC 7252 section 5.6, RFC 7959 section 2.4, RFC 9175.

use crate::message::{Code, OptionNumber, Options};

/// The parts of a request that select the representation, and so the body whose blocks it gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RequestKey {
    code: Code,
    options: Options,
    selector: Selector,
}

/// The body of a FETCH, which selects as the path does: its length and its digest, so that it need
/// not be kept. Of all other methods it is empty. Only bodies of one peer are compared: who makes
/// two with the same digest mistakes its own.
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

    /// The bytes that it holds besides itself.
    pub(super) fn bytes(&self) -> usize {
        self.options.as_encoded().len()
    }

    /// Whether a request for another block continues this one. The body need not be there again.
    pub(super) fn is_continued_by(&self, code: Code, options: &Options, payload: &[u8]) -> bool {
        self.code == code
            && self.options == without_transfer(options)
            && (payload.is_empty()
                || self.selector.0 == 0
                || self.selector == Selector::new(code, payload))
    }

    /// Whether both observe the same target, in whatever format.
    pub(super) fn has_same_target(&self, other: &Self) -> bool {
        self.code == other.code
            && self.selector == other.selector
            && self.options.uri_path().eq(other.options.uri_path())
            && self.options.uri_query().eq(other.options.uri_query())
    }
}

/// FNV-1a over a body: equal bodies get equal digests, and others another one.
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
