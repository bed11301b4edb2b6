//! Parses a list of links: RFC 6690 section 2.

use super::{Link, LinkError, ParamValue};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{anychar, char, multispace0};
use nom::combinator::opt;
use nom::error::{ErrorKind, ParseError};
use nom::multi::{many0, many1};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

/// A syntax error: the number of remaining bytes, and what the grammar requires there.
struct Failure {
    remaining: usize,
    expected: &'static str,
}

impl ParseError<&str> for Failure {
    fn from_error_kind(input: &str, _: ErrorKind) -> Self {
        Self { remaining: input.len(), expected: "a separator or the end" }
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Failure>;

/// Parses a list of links. An empty text is an empty list.
///
/// # Errors
/// [`LinkError::Syntax`] with the offset of the syntax error.
pub fn parse(text: &str) -> Result<Vec<Link>, LinkError> {
    Ok(located(text)?.into_iter().map(|(_, link)| link).collect())
}

/// As [`parse`], for a text of somebody else: with up to `most` links and parameters together, because
/// each takes many times the memory of its text. A comma or semicolon within quotes counts as one, too.
///
/// # Errors
/// [`LinkError::TooMany`], before anything is parsed, or [`LinkError::Syntax`].
pub fn parse_at_most(text: &str, most: usize) -> Result<Vec<Link>, LinkError> {
    let separators = text.bytes().filter(|byte| matches!(byte, b',' | b';')).count();
    if separators >= most {
        return Err(LinkError::TooMany { most });
    }
    parse(text)
}

/// The links with their offsets in bytes.
pub(super) fn located(text: &str) -> Result<Vec<(usize, Link)>, LinkError> {
    let syntax = |failure: Failure| LinkError::Syntax {
        offset: text.len().saturating_sub(failure.remaining),
        expected: failure.expected,
    };
    // Some devices count the NUL at the end of a string.
    let text = text.strip_suffix('\0').unwrap_or(text);
    match links(text, text.len()) {
        Ok(("", links)) => Ok(links),
        Ok((rest, _)) => Err(syntax(Failure { remaining: rest.len(), expected: "a comma" })),
        Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) => Err(syntax(failure)),
        Err(nom::Err::Incomplete(_)) => Err(syntax(Failure { remaining: 0, expected: "more" })),
    }
}

/// Parses the rest of a text of `length` bytes. Returns links with their offsets.
fn links(text: &str, length: usize) -> Parsed<'_, Vec<(usize, Link)>> {
    let (mut text, _) = empty_links(text)?;
    let mut links = Vec::new();
    while !text.is_empty() {
        let begin = length.saturating_sub(text.len());
        let (rest, next) = match links.is_empty() {
            true => alt((legacy_root, link)).parse(text)?,
            false => link(text)?,
        };
        links.push((begin, next));
        let (rest, more) = opt(separator(',')).parse(rest)?;
        (text, _) = empty_links(rest)?;
        if more.is_none() {
            break;
        }
    }
    Ok((text, links))
}

/// Skips blanks, and links of which there is nothing but the comma.
fn empty_links(text: &str) -> Parsed<'_, ()> {
    let nothing = take_while(|c: char| c.is_ascii_whitespace() || c == ',');
    nothing.map(drop).parse(text)
}

/// Parses `lwm2m="1.0"`, the first element in the Bootstrap-Discover examples of LwM2M 1.0.
fn legacy_root(text: &str) -> Parsed<'_, Link> {
    let (rest, value) = preceded(tag("lwm2m="), value).parse(text)?;
    let params = Vec::from([("lwm2m".to_owned(), Some(value))]);
    Ok((rest, Link { target: "/".to_owned(), params }))
}

fn link(text: &str) -> Parsed<'_, Link> {
    let (rest, _) = expect(char('<'), "an opening bracket").parse(text)?;
    let (rest, target) = take_while(|c| !matches!(c, '<' | '>' | '"')).parse(rest)?;
    let (rest, _) = expect(char('>'), "a closing bracket").parse(rest)?;
    let (rest, params) = many0(preceded(many1(separator(';')), opt(param))).parse(rest)?;
    Ok((rest, Link { target: target.to_owned(), params: params.into_iter().flatten().collect() }))
}

fn param(text: &str) -> Parsed<'_, (String, Option<ParamValue>)> {
    let mut name =
        take_while1(|c: char| !c.is_whitespace() && !matches!(c, '=' | '<' | '>') && bare(c));
    let (rest, name) = name.parse(text)?;
    let (rest, value) = opt(preceded((char('='), multispace0), value)).parse(rest)?;
    Ok((rest, (name.to_owned(), value)))
}

fn value(text: &str) -> Parsed<'_, ParamValue> {
    match text.strip_prefix('"') {
        Some(rest) => quoted(rest),
        None => {
            let (rest, value) = cut(take_while1(bare), "the value of a parameter").parse(text)?;
            Ok((rest, value.into()))
        }
    }
}

/// Parses a quoted string after its opening quote. A backslash quotes the next character.
fn quoted(text: &str) -> Parsed<'_, ParamValue> {
    let mut value = String::new();
    let mut text = text;
    loop {
        let (rest, plain) = take_while(|c| !matches!(c, '"' | '\\')).parse(text)?;
        value.push_str(plain);
        let (rest, stop) = cut(anychar, "a closing quote").parse(rest)?;
        if stop == '"' {
            return Ok((rest, ParamValue { text: value, quoted: true }));
        }
        let (rest, literal) = cut(anychar, "a closing quote").parse(rest)?;
        value.push(literal);
        text = rest;
    }
}

fn bare(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !matches!(c, ';' | ',' | '"')
}

fn separator<'a>(c: char) -> impl Parser<&'a str, Output = char, Error = Failure> {
    delimited(multispace0, char(c), multispace0)
}

/// `parser` with `expected` in its errors.
fn expect<'a, O>(
    mut parser: impl Parser<&'a str, Output = O, Error = Failure>,
    expected: &'static str,
) -> impl FnMut(&'a str) -> Parsed<'a, O> {
    move |text| {
        parser.parse(text).map_err(|error| error.map(|failure| Failure { expected, ..failure }))
    }
}

/// [`expect`] with errors that stop all alternatives.
fn cut<'a, O>(
    parser: impl Parser<&'a str, Output = O, Error = Failure>,
    expected: &'static str,
) -> impl FnMut(&'a str) -> Parsed<'a, O> {
    let mut parser = expect(parser, expected);
    move |text| match parser(text) {
        Err(nom::Err::Error(failure)) => Err(nom::Err::Failure(failure)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{param as param_of, write};
    use super::*;

    // proves: LINK-01
    #[test]
    fn parameters_may_be_quoted_and_hold_separators() {
        let links = parse(r#"</>;rt="oma.lwm2m";ct="60 110,112",</3>;ver=1.1;flag"#).unwrap();
        assert_eq!(links.len(), 2);
        assert_eq!(links[0].target, "/");
        assert_eq!(links[0].param("rt"), Some("oma.lwm2m"));
        assert_eq!(links[0].param("ct"), Some("60 110,112"));
        assert_eq!(links[1].param("ver"), Some("1.1"));
        assert_eq!(links[1].params[1], ("flag".to_owned(), None));
        let quotes = parse(r#"</a>;t="x;y\"<z>""#).unwrap();
        assert_eq!(quotes[0].param("t"), Some(r#"x;y"<z>"#));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    // proves: LINK-03
    #[test]
    fn blanks_slashes_quotes_and_the_old_root_are_tolerated() {
        let strict = parse("</>;lwm2m=1.0,</0/0>;ssid=101").unwrap();
        let old = parse("lwm2m=\"1.0\",</0/0>;ssid=101").unwrap();
        assert_eq!(write(&strict), write(&old));
        let blanks = parse(" </0/1/> ,\r\n </3> ; ver=\"1.1\", </4>;ct=110 ").unwrap();
        assert_eq!(blanks[0].path(), "/0/1".parse().ok());
        assert_eq!(blanks[1].param("ver"), Some("1.1"));
        assert_eq!(blanks[2].param("ct"), Some("110"));
        assert_eq!(
            param_of(&parse("</>;ct=\"110 112 60\"").unwrap()[0].params, "ct"),
            Some("110 112 60")
        );
    }

    // proves: LINK-03
    #[test]
    fn nothing_between_separators_is_tolerated() {
        let plain = "</3>;ver=2.2,</4>";
        for text in [
            "</3>;ver= \"2.2\",</4>",
            "</3>;;ver=2.2,</4>",
            "</3>;ver=2.2;,</4>;",
            "</3>;ver=2.2,</4>,",
            ",</3>;ver=2.2,,</4>, ",
            "</3>;ver=2.2,</4>\0",
        ] {
            assert_eq!(write(&parse(text).unwrap()), plain, "{text:?}");
        }
        // A NUL within a name would be lost at the end of what is written.
        for text in ["</3>\0,</4>", "</3>;a\0;b", "</3>;a=\0\0"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn so_many_links_and_parameters_are_read() {
        for (text, count) in [("</3>,</4>,</5>", 3), ("</3>;a;b=1,</4>", 4), ("</3>;a=\",\"", 3)] {
            assert_eq!(parse_at_most(text, count), parse(text), "{text}");
            let most = count - 1;
            assert_eq!(parse_at_most(text, most), Err(LinkError::TooMany { most }), "{text}");
        }
    }

    #[test]
    fn syntax_errors_have_their_offset() {
        let cases = [
            ("</2/0></2/1>", 6),
            ("<1/0", 4),
            ("</3>;ver=\"", 10),
            ("</3>;ver=", 9),
            ("</3>;=1", 5),
            ("</3>,x", 5),
            ("3", 0),
            ("</3>x", 4),
            ("</3>;ver=\"1\\", 12),
            ("</3>;a=\"b\"c", 10),
        ];
        for (text, at) in cases {
            match parse(text) {
                Err(LinkError::Syntax { offset, .. }) => assert_eq!(offset, at, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
