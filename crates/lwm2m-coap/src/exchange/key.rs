//! What makes two requests the same: RFC 7252 section 5.6, RFC 7959 section 2.4, RFC 9175.

use crate::message::{Code, OptionNumber, Options};
use bytes::Bytes;

/// The parts of a request that select the representation, and so the body whose blocks it gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RequestKey {
    code: Code,
    options: Options,
    /// The body of a FETCH, which selects as the path does; empty for all other methods.
    payload: Bytes,
}

impl RequestKey {
    pub(super) fn new(code: Code, options: &Options, payload: &Bytes) -> Self {
        let payload = if code == Code::FETCH { payload.clone() } else { Bytes::new() };
        Self { code, options: without_transfer(options), payload }
    }

    /// Whether a request for another block continues this one. The body need not be there again.
    pub(super) fn is_continued_by(&self, code: Code, options: &Options, payload: &[u8]) -> bool {
        self.code == code
            && (payload.is_empty() || self.payload.is_empty() || self.payload == payload)
            && self.options == without_transfer(options)
    }

    /// Whether both observe the same target, in whatever format.
    pub(super) fn has_same_target(&self, other: &Self) -> bool {
        self.code == other.code
            && self.payload == other.payload
            && self.options.uri_path().eq(other.options.uri_path())
            && self.options.uri_query().eq(other.options.uri_query())
    }
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
