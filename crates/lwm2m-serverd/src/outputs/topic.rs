//! Topics of MQTT and subjects of NATS: texts in which `{ep}` and `{kind}` stand for those of an event.

use lwm2m_http::Untold;
use std::fmt::Write;

/// A topic with its placeholders.
#[derive(Clone, Debug)]
pub(super) struct Topic(String);

impl Topic {
    /// `None` for one that has spaces, wildcards, or parts without a name. `separator` stands between parts.
    pub(super) fn new(text: &str, separator: char) -> Option<Self> {
        let is_fine =
            |it: char| it.is_ascii_graphic() && !matches!(it, '+' | '#' | '*' | '>' | '$');
        let has_names = text.split(separator).all(|part| !part.is_empty());
        (has_names && text.chars().all(is_fine)).then(|| Self(text.to_owned()))
    }

    /// The topic of an event.
    pub(super) fn of(&self, event: &Untold) -> String {
        let kind = event.name.to_lowercase();
        self.0.replace("{kind}", &kind).replace("{ep}", &escaped(&event.endpoint))
    }
}

/// A name without what separates parts or is a wildcard: other bytes than letters, digits, `-`, `_` and `:` are
/// percent-encoded. `_` for none.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'-' | b'_' | b':' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            // Writing to a text cannot fail.
            _ => _ = write!(text, "%{byte:02X}"),
        }
    }
    if text.is_empty() { "_".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_device_reaches_beyond_its_part() {
        let table = [
            ("urn:dev:1", "urn:dev:1"),
            ("a/b.c", "a%2Fb%2Ec"),
            ("+", "%2B"),
            ("#*> $", "%23%2A%3E%20%24"),
            ("é\0", "%C3%A9%00"),
            ("", "_"),
        ];
        for (name, expected) in table {
            assert_eq!(escaped(name), expected);
        }
    }

    #[test]
    fn a_topic_has_no_wildcards_and_no_empty_parts() {
        assert!(Topic::new("lwm2m/{ep}/{kind}", '/').is_some());
        for wrong in ["", "/a", "a/", "a//b", "a/+", "#", "a b", "$SYS", "a/>"] {
            assert!(Topic::new(wrong, '/').is_none(), "{wrong}");
        }
    }
}
