//! Arguments of Execute, for example `0='text',3`: OMA LwM2M Core, section 6.3.5.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

/// The arguments of an Execute: digits from 0 to 9, each at most once, each with an optional text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Arguments(BTreeMap<u8, Option<String>>);

/// Why a text is not an argument list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentsError {
    /// The argument at this index, counted from 0, is neither `digit` nor `digit='text'`.
    #[error(
        "argument {0} is neither a digit nor digit='text' without blanks, quotes or backslashes"
    )]
    Syntax(usize),
    /// This digit occurs twice.
    #[error("argument {0} occurs twice")]
    Duplicate(u8),
}

impl Arguments {
    /// Whether there are no arguments.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the list has the argument `digit`, with or without a text.
    #[must_use]
    pub fn contains(&self, digit: u8) -> bool {
        self.0.contains_key(&digit)
    }

    /// The text of the argument `digit`, if it has one.
    #[must_use]
    pub fn text(&self, digit: u8) -> Option<&str> {
        self.0.get(&digit)?.as_deref()
    }
}

impl FromStr for Arguments {
    type Err = ArgumentsError;

    fn from_str(text: &str) -> Result<Self, ArgumentsError> {
        let mut arguments = BTreeMap::new();
        if text.is_empty() {
            return Ok(Self(arguments));
        }
        // A text may contain commas but no quotes: split outside quotes only.
        let mut quoted = false;
        let separator = |c: char| {
            quoted ^= c == '\'';
            c == ',' && !quoted
        };
        for (place, argument) in text.split(separator).enumerate() {
            let (digit, value) = parse_argument(argument).ok_or(ArgumentsError::Syntax(place))?;
            if arguments.insert(digit, value).is_some() {
                return Err(ArgumentsError::Duplicate(digit));
            }
        }
        Ok(Self(arguments))
    }
}

fn parse_argument(argument: &str) -> Option<(u8, Option<String>)> {
    let mut chars = argument.chars();
    let digit = u8::try_from(chars.next()?.to_digit(10)?).ok()?;
    let rest = chars.as_str();
    if rest.is_empty() {
        return Some((digit, None));
    }
    let text = rest.strip_prefix("='")?.strip_suffix('\'')?;
    let allowed = |b: u8| matches!(b, b'!' | 0x23..=0x26 | 0x28..=0x5B | 0x5D..=0x7E);
    text.bytes().all(allowed).then(|| (digit, Some(text.to_string())))
}

impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (digit, text)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match text {
                Some(text) => write!(f, "{comma}{digit}='{text}'")?,
                None => write!(f, "{comma}{digit}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_with_and_without_text() {
        let arguments: Arguments = "0='U',3,5='a,b'".parse().unwrap();
        assert_eq!(arguments.text(0), Some("U"));
        assert_eq!(arguments.text(5), Some("a,b"));
        assert!(arguments.contains(3) && arguments.text(3).is_none());
        assert_eq!(arguments.to_string(), "0='U',3,5='a,b'");
        assert!("".parse::<Arguments>().unwrap().is_empty());
    }

    #[test]
    fn blanks_quotes_backslashes_and_more_digits_are_refused() {
        for bad in ["10", "a", "0=", "0=U", "0='a b'", "0='a\\'", "0='a''", "0,", ",", "0='\u{e4}'"]
        {
            assert!(matches!(bad.parse::<Arguments>(), Err(ArgumentsError::Syntax(_))), "{bad}");
        }
        assert_eq!("1,1".parse::<Arguments>(), Err(ArgumentsError::Duplicate(1)));
    }
}
