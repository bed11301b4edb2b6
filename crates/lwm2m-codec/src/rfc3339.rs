//! Dates as text (RFC 3339), which CBOR may use for Time.

use nom::branch::alt;
use nom::bytes::complete::take_while_m_n;
use nom::character::complete::{char, digit1, one_of};
use nom::combinator::{all_consuming, map_res, opt, verify};
use nom::sequence::{preceded, separated_pair};
use nom::{IResult, Parser};

/// Seconds since 1970-01-01T00:00:00Z. Truncates fractions.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    all_consuming(date_time).parse(text).ok().map(|(_, seconds)| seconds)
}

fn date_time(input: &str) -> IResult<&str, i64> {
    let (input, year) = number(4, 0, 9999).parse(input)?;
    let (input, month) = preceded(char('-'), number(2, 1, 12)).parse(input)?;
    let (input, day) = preceded(char('-'), number(2, 1, length_of(year, month))).parse(input)?;
    let (input, _) = one_of("Tt ").parse(input)?;
    let (input, (hour, minute)) = clock(input)?;
    // Second 60 is a leap second.
    let (input, second) = preceded(char(':'), number(2, 0, 60)).parse(input)?;
    let (input, _) = opt(preceded(char('.'), digit1)).parse(input)?;
    let (input, offset) = alt((one_of("Zz").map(|_| 0), offset)).parse(input)?;
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset;
    Ok((input, minutes * 60 + second))
}

fn clock(input: &str) -> IResult<&str, (i64, i64)> {
    separated_pair(number(2, 0, 23), char(':'), number(2, 0, 59)).parse(input)
}

/// The offset from UTC, in minutes.
fn offset(input: &str) -> IResult<&str, i64> {
    let (input, sign) = one_of("+-").parse(input)?;
    let (input, (hours, minutes)) = clock(input)?;
    let offset = hours * 60 + minutes;
    Ok((input, if sign == '-' { -offset } else { offset }))
}

fn number<'a>(
    digits: usize,
    least: i64,
    most: i64,
) -> impl Parser<&'a str, Output = i64, Error = nom::error::Error<&'a str>> {
    let digits = take_while_m_n(digits, digits, |c: char| c.is_ascii_digit());
    verify(map_res(digits, str::parse), move |value| (least..=most).contains(value))
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn length_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = |year: i64| {
        let last = year - 1;
        last * 365 + last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400)
    };
    let months: i64 = (1..month).map(|month| length_of(year, month)).sum();
    before(year) - before(1970) + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2013-05-02T10:40:15Z", 1_367_491_215),
            ("2013-05-02T12:40:15.999+02:00", 1_367_491_215),
            ("2000-02-29t23:59:60z", 951_868_800),
            ("1969-12-31T23:59:59Z", -1),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("9999-12-31T23:59:59-01:00", 253_402_304_399),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for bad in [
            "",
            "2013-05-02",
            "2013-13-02T10:40:15Z",
            "2013-02-29T10:40:15Z",
            "2013-05-02T24:40:15Z",
            "2013-05-02T10:40:15",
            "2013-05-02T10:40:15Zx",
            "+013-05-02T10:40:15Z",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
