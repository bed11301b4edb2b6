//! Checks the options of a message: RFC 7252 section 5.4.

use crate::message::{BlockValue, Code, OptionNumber, Options};

/// The options of a request that control its exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct ExchangeOptions {
    pub(super) observe: Option<u32>,
    pub(super) block1: Option<BlockValue>,
    pub(super) block2: Option<BlockValue>,
    pub(super) size1: Option<u64>,
    /// No-Response: the suppressed response classes, one bit each (RFC 7967 section 2.1).
    no_response: u8,
}

impl ExchangeOptions {
    /// Whether No-Response suppresses a response with this code. 2.31 is never suppressed, because
    /// block-wise transfer needs it.
    pub(super) const fn silences(&self, code: Code) -> bool {
        code.as_byte() != Code::CONTINUE.as_byte()
            && code.is_response()
            && self.no_response & (1 << (code.class() - 1)) != 0
    }
}

/// Why the endpoint refuses a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Refused {
    pub(super) code: Code,
    /// The option that is at fault.
    pub(super) option: OptionNumber,
}

const fn bad(option: OptionNumber) -> Refused {
    Refused { code: Code::BAD_OPTION, option }
}

/// Checks the options of a request.
///
/// # Errors
/// The code of the error response: 4.02 for a critical option that is unknown, repeated or has a
/// value of a wrong length, and for If-Match and If-None-Match unless the application evaluates them
/// (`conditional`); 4.00 for a reserved block size (SZX 7 is reserved unless the peer is `connected`),
/// 5.05 for a request to a proxy.
pub(super) fn request(
    options: &Options,
    connected: bool,
    conditional: bool,
) -> Result<ExchangeOptions, Refused> {
    let block = |value: &[u8]| {
        let read = if connected { BlockValue::read } else { BlockValue::from_bytes };
        read(value).ok_or(Refused { code: Code::BAD_REQUEST, option: OptionNumber::BLOCK1 })
    };
    let mut exchange_options = ExchangeOptions::default();
    let mut last = None;
    for (number, value) in options.iter() {
        let again = last.replace(number) == Some(number);
        match number {
            OptionNumber::PROXY_URI | OptionNumber::PROXY_SCHEME => {
                return Err(Refused { code: Code::PROXYING_NOT_SUPPORTED, option: number });
            }
            OptionNumber::OBSERVE if value.len() > 3 => return Err(bad(number)),
            OptionNumber::IF_MATCH | OptionNumber::IF_NONE_MATCH if !conditional => {
                return Err(bad(number));
            }
            _ if number.is_critical() && !is_understood(number, value, again) => {
                return Err(bad(number));
            }
            OptionNumber::NO_RESPONSE if value.len() <= 1 => {
                exchange_options.no_response = value.first().copied().unwrap_or_default();
            }
            OptionNumber::BLOCK1 => exchange_options.block1 = Some(block(value)?),
            OptionNumber::BLOCK2 => exchange_options.block2 = Some(block(value)?),
            _ => {}
        }
    }
    exchange_options.observe = options.observe();
    exchange_options.size1 = options.get_uint(OptionNumber::SIZE1);
    Ok(exchange_options)
}

/// Whether all critical options of a response or notification are understood, and its Observe is a
/// sequence number.
pub(super) fn response(options: &Options) -> bool {
    let mut last = None;
    options.iter().all(|(number, value)| {
        let again = last.replace(number) == Some(number);
        match number {
            OptionNumber::OBSERVE => value.len() <= 3,
            _ => !number.is_critical() || is_understood(number, value, again),
        }
    })
}

fn is_understood(number: OptionNumber, value: &[u8], again: bool) -> bool {
    // Protection, once implemented, removes the OSCORE option before this check.
    number != OptionNumber::OSCORE
        && number.definition().is_some_and(|(lengths, repeatable)| {
            lengths.contains(&value.len()) && (repeatable || !again)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(list: &[(u16, &[u8])]) -> Options {
        let mut options = Options::new();
        list.iter().for_each(|(number, value)| options.push(OptionNumber(*number), value));
        options
    }

    #[test]
    fn critical_options_must_be_understood() {
        for (list, expected) in [
            (&[(65_001, &b""[..])][..], Err(Code::BAD_OPTION)),
            (&[(17, b"n"), (17, b"n")], Err(Code::BAD_OPTION)),
            (&[(17, b"abc")], Err(Code::BAD_OPTION)),
            (&[(9, b"")], Err(Code::BAD_OPTION)),
            (&[(6, b"abcd")], Err(Code::BAD_OPTION)),
            (&[(27, b"\x07")], Err(Code::BAD_REQUEST)),
            (&[(23, b"\x07")], Err(Code::BAD_REQUEST)),
            (&[(35, b"coap://x")], Err(Code::PROXYING_NOT_SUPPORTED)),
            (&[(39, b"coap")], Err(Code::PROXYING_NOT_SUPPORTED)),
            (&[(3, b"host"), (7, b"\x16"), (65_000, b"x"), (12, b"abc")], Ok(())),
            (&[(6, b"abc"), (258, b"\x02\x00")], Ok(())),
            (&[(60, b"\x01"), (60, b"\x02"), (11, b"a"), (11, b"b")], Ok(())),
        ] {
            let checked = request(&with(list), false, true).map(|_| ());
            assert_eq!(checked.map_err(|refused| refused.code), expected, "{list:?}");
        }
    }

    #[test]
    fn no_response_names_classes_in_one_byte() {
        let silences = |value: &[u8], code| {
            request(&with(&[(258, value)]), false, true).unwrap().silences(code)
        };
        assert!(silences(b"\x02", Code::CONTENT) && !silences(b"\x02", Code::NOT_FOUND));
        assert!(silences(b"\x08", Code::NOT_FOUND) && !silences(b"\x08", Code::CONTENT));
        assert!(!silences(b"\x02", Code::CONTINUE), "the next block has to come");
        assert!(!silences(b"", Code::CONTENT) && !silences(b"\x02\x02", Code::CONTENT));
    }

    #[test]
    fn conditions_are_refused_unless_the_application_evaluates_them() {
        for number in [OptionNumber::IF_MATCH, OptionNumber::IF_NONE_MATCH] {
            let options = with(&[(number.0, b"")]);
            assert_eq!(request(&options, false, false), Err(bad(number)));
            assert!(request(&options, false, true).is_ok());
        }
    }

    #[test]
    fn responses_may_not_have_a_long_sequence_number() {
        assert!(response(&with(&[(6, b"abc"), (2_000, b"")])));
        assert!(!response(&with(&[(6, b"abcd")])));
        assert!(!response(&with(&[(2_001, b"")])));
    }
}
