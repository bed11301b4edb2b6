//! The CoRE Link Format (RFC 6690) of Register, Update and Discover.
//!
//! Parsing tolerates blanks around separators, one trailing slash in a target, unquoted and quoted
//! values, empty links and parameters, a NUL at the end, and the first element of an old
//! Bootstrap-Discover response without its `</>`. [`Reading::links`] tells of deviations, or refuses
//! them. Writing is strict. [`registration`] interprets the links of a registration.
//!
//! ```
//! use lwm2m_codec::link::{self, Link};
//!
//! let links = link::parse(r#"</>;rt="oma.lwm2m";ct="60 110", </3/0/>;ssid=101"#)?;
//! assert_eq!(links[0].param("rt"), Some("oma.lwm2m"));
//! assert_eq!(links[1].path(), Some(lwm2m_core::Path::instance(3, 0)));
//! let link = Link::to_path(&lwm2m_core::Path::object(3)).with("ver", "1.1");
//! assert_eq!(link::write(&[link]), "</3>;ver=1.1");
//! # Ok::<(), lwm2m_codec::link::LinkError>(())
//! ```

mod parse;
mod quirks;
pub mod registration;

pub use parse::{parse, parse_at_most};
pub use registration::{RegistrationLinks, parse_registration};

use crate::quirk::Quirk;
use crate::reading::Reading;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};
use lwm2m_core::Path;

impl Reading<'_> {
    /// As [`parse()`], but records quirks.
    ///
    /// # Errors
    /// As [`parse()`]. Strict decoding refuses quirks.
    pub fn links(&self, text: &str) -> Result<Vec<Link>, LinkError> {
        let links = parse(text)?;
        for (quirk, offset) in quirks::quirks(text) {
            self.forgive(quirk).map_err(|_| LinkError::Quirk { offset, quirk })?;
        }
        Ok(links)
    }
}

/// The parameters of a link in order. Parameters without a value are flags.
pub type Params = Vec<(String, Option<ParamValue>)>;

/// The value of a parameter.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ParamValue {
    /// The value without quotes.
    pub text: String,
    /// Whether it was in quotes, and is written in quotes if its name is unknown here: there a number
    /// and a text are different things.
    pub quoted: bool,
}

impl<T: Into<String>> From<T> for ParamValue {
    fn from(text: T) -> Self {
        Self { text: text.into(), quoted: false }
    }
}

/// A link: a target and its parameters.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Link {
    /// The target, without `<` and `>`.
    pub target: String,
    /// The parameters.
    pub params: Params,
}

/// Why a text is not a list of links. Engines answer 4.00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The payload is not UTF-8.
    #[error("the links are not UTF-8 at byte {offset}")]
    Utf8 {
        /// The offset of the first invalid byte.
        offset: usize,
    },
    /// The text does not follow the grammar of RFC 6690 section 2.
    #[error("the links are malformed at byte {offset}: expected {expected}")]
    Syntax {
        /// The offset where parsing stopped, in bytes.
        offset: usize,
        /// What the grammar requires at this offset.
        expected: &'static str,
    },
    /// Strict decoding refuses a known deviation of devices.
    #[error("byte {offset} of the links: {quirk}, which strict decoding refuses")]
    Quirk {
        /// The offset of the deviation, in bytes.
        offset: usize,
        /// The deviation.
        quirk: Quirk,
    },
    /// There are more links and parameters than [`parse_at_most`] allows.
    #[error(
        "there are more than {most} links and parameters, the most that are accepted at a time"
    )]
    TooMany {
        /// How many are accepted.
        most: usize,
    },
    /// The parameter `ver` is not `major.minor`.
    #[error("the link at byte {offset} has a ver that is not major.minor, for example ver=1.1")]
    Version {
        /// The offset of the link, in bytes.
        offset: usize,
    },
}

impl Link {
    /// Creates a link to `target` without parameters.
    #[must_use]
    pub fn new(target: impl Into<String>) -> Self {
        Self { target: target.into(), params: Vec::new() }
    }

    /// Creates a link to a path, such as `</3/0>`.
    #[must_use]
    pub fn to_path(path: &Path) -> Self {
        Self::new(path.to_string())
    }

    /// Appends a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params.push((name.into(), Some(value.to_string().into())));
        self
    }

    /// The value of the first parameter with this name. The value of a flag is empty.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        param(&self.params, name)
    }

    /// The target as a path. Tolerates one trailing slash.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.path_below("/")
    }

    /// The target as a path below the alternate path `root`, such as `/` or `/lwm2m`.
    #[must_use]
    pub fn path_below(&self, root: &str) -> Option<Path> {
        let rest = self.target.strip_prefix(root.trim_end_matches('/'))?;
        let text = rest.strip_suffix('/').unwrap_or(rest);
        // The target must not end within the last segment of the root.
        let whole = text.is_empty() || text.starts_with('/') || root == "/";
        whole.then(|| text.parse().ok()).flatten()
    }
}

/// The value of the first parameter with this name. The value of a flag is empty.
#[must_use]
pub fn param<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    let found = params.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_ref().map_or("", |value| &value.text))
}

/// Writes links without blanks.
#[must_use]
pub fn write(links: &[Link]) -> String {
    let mut text = String::new();
    for (number, link) in links.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{link}");
    }
    text
}

/// Parameters whose values are written without quotes where that is possible.
const BARE: [&str; 15] = [
    "ct", "ver", "lwm2m", "ssid", "dim", "pmin", "pmax", "gt", "lt", "st", "epmin", "epmax",
    "edge", "con", "hqmax",
];

/// Whether a value is quoted: always if the definition of the parameter requires quotes, or if it is
/// not a number, a version or a word. Values of unknown parameters stay as they were.
fn quoted(name: &str, value: &ParamValue) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    matches!(name, "rt" | "if" | "uri" | "title")
        || value.quoted && !BARE.contains(&name)
        || value.text.is_empty()
        || !value.text.bytes().all(word)
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.target)?;
        for (name, value) in &self.params {
            write!(f, ";{name}")?;
            match value {
                None => {}
                Some(value) if !quoted(name, value) => write!(f, "={}", value.text)?,
                Some(value) => {
                    f.write_str("=\"")?;
                    for c in value.text.chars() {
                        if matches!(c, '"' | '\\') {
                            f.write_char('\\')?;
                        }
                        f.write_char(c)?;
                    }
                    f.write_char('"')?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // proves: LINK-02
    #[test]
    fn output_has_no_blanks_and_no_trailing_slash() {
        let paths = [Path::instance(1, 0), Path::instance(3, 0), Path::object(5)];
        let links: Vec<_> = paths.iter().map(Link::to_path).collect();
        assert_eq!(write(&links), "</1/0>,</3/0>,</5>");
        assert_eq!(write(&[]), "");
        // Some parameters are quoted strings by definition, even if a bare word would do.
        let root = Link::new("/").with("rt", "oma.lwm2m").with("ct", 110).with("ver", "1.1");
        assert_eq!(root.to_string(), "</>;rt=\"oma.lwm2m\";ct=110;ver=1.1");
    }

    #[test]
    fn known_parameters_have_the_quotes_of_their_definition() {
        let sent = "</3>;ver=\"1.1\";rt=a;ct=\"110\";pmin=\"1\"";
        assert_eq!(write(&parse(sent).unwrap()), "</3>;ver=1.1;rt=\"a\";ct=110;pmin=1");
    }

    // proves: LINK-06
    #[test]
    fn discover_answers_round_trip() {
        for text in [
            "</3/0/7>;dim=2;pmin=10;pmax=60;gt=50;lt=42.2,</3/0/7/1>;lt=45",
            "</0/0>;ssid=101;uri=\"coaps://h\"",
            "</>;lwm2m=1.1,</0/0>;ssid=101;uri=\"coaps://h:5684\",</3/0/1>;lt=-50.5",
            "</3/0/7>;lt=\"a\\\"b\\\\c\"",
            "</3>;word=a;text=\"a\";number=7;digits=\"7\";flag;none=\"\"",
        ] {
            let links = parse(text).unwrap();
            assert_eq!(write(&links), text);
        }
        let links = parse("</3/0/7>;dim=2;pmin=10;flag").unwrap();
        assert_eq!(links[0].param("dim"), Some("2"));
        assert_eq!(links[0].param("flag"), Some(""));
        assert_eq!(links[0].param("pmax"), None);
        assert_eq!(links[0].path(), Some(Path::resource(3, 0, 7)));
    }

    #[test]
    fn paths_below_a_root() {
        let link = Link::new("/root/3/0/");
        assert_eq!(link.path_below("/root"), Some(Path::instance(3, 0)));
        assert_eq!(link.path(), None);
        assert_eq!(Link::new("/roots/3").path_below("/root"), None);
        assert_eq!(Link::new("/3").path_below("/root"), None);
        assert_eq!(Link::new("/").path(), Some(Path::ROOT));
        assert_eq!(Link::new("/3//").path(), None);
    }

    proptest! {
        #[test]
        fn links_round_trip(links in proptest::collection::vec(any_link(), 0..8)) {
            let text = write(&links);
            let parsed = parse(&text).unwrap();
            prop_assert_eq!(write(&parsed), text);
            let texts = |links: &[Link]| {
                let text = |it: &(String, Option<ParamValue>)| {
                    (it.0.clone(), it.1.as_ref().map(|value| value.text.clone()))
                };
                let of = |link: &Link| (link.target.clone(), link.params.iter().map(text).collect());
                links.iter().map(of).collect::<Vec<(String, Vec<_>)>>()
            };
            prop_assert_eq!(texts(&parsed), texts(&links));
        }

        #[test]
        fn any_text_is_survived(text in ".*") {
            let _ = parse(&text);
            let _ = parse_registration(text.as_bytes());
        }
    }

    fn any_value() -> impl Strategy<Value = ParamValue> {
        (".{0,9}", proptest::bool::ANY).prop_map(|(text, quoted)| ParamValue { text, quoted })
    }

    fn any_link() -> impl Strategy<Value = Link> {
        let params =
            proptest::collection::vec(("[a-z]{1,5}", proptest::option::of(any_value())), 0..4);
        ("[/a-z0-9]{0,12}", params).prop_map(|(target, params)| Link { target, params })
    }
}
