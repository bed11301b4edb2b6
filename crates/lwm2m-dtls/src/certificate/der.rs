//! What a certificate says and `webpki` does not tell: RFC 5280 sections 4.1.2.5 and 4.1.2.6.

use alloc::string::String;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u8;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
/// The version, which is there from version 2 on.
const VERSION: u8 = 0xa0;
/// The attribute type 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// Tag, content and what follows of a DER element of up to 64 KiB.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (rest, (tag, short)) = (be_u8::<_, ()>, be_u8).parse(input).ok()?;
    let (rest, length) = match short {
        0x00..=0x7f => (rest, usize::from(short)),
        0x81 => be_u8::<_, ()>(rest).map(|(rest, n)| (rest, usize::from(n))).ok()?,
        0x82 => nom::number::complete::be_u16::<_, ()>(rest)
            .map(|(rest, n)| (rest, usize::from(n)))
            .ok()?,
        _ => return None,
    };
    let (rest, content) = take::<_, _, ()>(length)(rest).ok()?;
    Some((tag, content, rest))
}

/// The common name of a subject (with or without its outer SEQUENCE); nothing if there are several,
/// because who reads another one than we do takes the peer for somebody else.
pub(super) fn common_name(subject: &[u8]) -> Option<String> {
    let mut names = match element(subject)? {
        (SEQUENCE, content, _) => content,
        _ => subject,
    };
    let mut found = None;
    while let Some((SET, mut attributes, rest)) = element(names) {
        while let Some((SEQUENCE, attribute, more)) = element(attributes) {
            if let Some((OBJECT_IDENTIFIER, kind, value)) = element(attribute)
                && kind == COMMON_NAME
            {
                let (_, text, _) = element(value)?;
                let text = core::str::from_utf8(text).ok()?;
                if found.replace(String::from(text)).is_some() {
                    return None;
                }
            }
            attributes = more;
        }
        names = rest;
    }
    found
}

/// The last second of a certificate's validity in Unix time.
pub(super) fn valid_until(certificate: &[u8]) -> Option<u64> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    if let Some((VERSION, _, after)) = element(rest) {
        rest = after;
    }
    // Serial number, algorithm and issuer.
    for _ in 0..3 {
        (_, _, rest) = element(rest)?;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, not_after) = element(validity)?;
    let (kind, time, _) = element(not_after)?;
    unix_time(kind, time)
}

/// A time with seconds in UTC, which is all that RFC 5280 section 4.1.2.5 allows.
fn unix_time(kind: u8, time: &[u8]) -> Option<u64> {
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = digits::<2>(time)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        _ => digits::<4>(time)?,
    };
    let (month, rest) = digits::<2>(rest)?;
    let (day, rest) = digits::<2>(rest)?;
    let (hour, rest) = digits::<2>(rest)?;
    let (minute, rest) = digits::<2>(rest)?;
    let (second, rest) = digits::<2>(rest)?;
    (rest == b"Z").then_some(())?;
    let seconds = (hour * 60 + minute) * 60 + second;
    days_since_1970(year, month, day)?.checked_mul(86_400)?.checked_add(seconds)
}

fn digits<const N: usize>(input: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = input.split_first_chunk::<N>()?;
    let number = digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    });
    Some((number?, rest))
}

/// Years are counted from March on, so that the day that is there or not is the last one.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = match month {
        1..=2 => (year.checked_sub(1)?, month + 9),
        3..=12 => (year, month - 3),
        _ => return None,
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    days.checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_name_is_found_behind_other_attributes() {
        let subject = b"\x30\x1c\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\
                        \x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04urn1";
        assert_eq!(common_name(subject).as_deref(), Some("urn1"));
        assert_eq!(common_name(&subject[2..]).as_deref(), Some("urn1"));
        for length in 0..subject.len() {
            assert_eq!(common_name(&subject[..length]), None);
        }
        let twice = [&subject[15..], &subject[15..]].concat();
        assert_eq!(common_name(&twice), None);
    }

    #[test]
    fn times_of_either_form() {
        assert_eq!(unix_time(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(unix_time(UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(unix_time(0x18, b"20000229120000Z"), Some(951_825_600));
        assert_eq!(unix_time(0x18, b"21261030004255Z"), Some(4_948_994_575));
        for wrong in [&b"700101000000"[..], b"7001010000000Z", b"701301000000Z", b"7a0101000000Z"] {
            assert_eq!(unix_time(UTC_TIME, wrong), None);
        }
    }

    #[test]
    fn the_end_of_a_certificate() {
        let certificate = include_bytes!("../../tests/data/client.cert.der");
        assert_eq!(valid_until(certificate), Some(4_948_994_575));
        for length in 0..certificate.len() {
            assert_eq!(valid_until(&certificate[..length]), None);
        }
    }
}
