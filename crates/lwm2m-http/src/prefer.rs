//! `Prefer` (RFC 7240): what a request prefers.

use axum::http::HeaderMap;
use std::time::Duration;

/// The preferences that this server knows; others are ignored, as the RFC wants.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Preferences {
    /// `respond-async`: the answer may come later.
    pub(crate) respond_async: bool,
    /// `wait`: how long the caller waits for an answer before that.
    pub(crate) wait: Option<Duration>,
}

impl Preferences {
    /// The preferences of a request. Of one that comes twice, the first counts.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let mut has_wait = false;
        let fields = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
        for preference in fields.flat_map(|field| split(field, ',')) {
            // What comes after a semicolon are parameters, which neither of ours has.
            let preference = split(preference, ';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "respond-async" => found.respond_async = true,
                "wait" if !has_wait => {
                    has_wait = true;
                    found.wait = value.parse().map(Duration::from_secs).ok();
                }
                _ => {}
            }
        }
        found
    }
}

/// The parts of a field between separators that are not in quotes.
fn split(field: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    field.split(move |it| {
        let ends = it == separator && !quoted;
        quoted ^= it == '"' && !escaped;
        escaped = it == '\\' && quoted && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferences(fields: &[&str]) -> (bool, Option<u64>) {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append("prefer", field.parse().unwrap());
        }
        let Preferences { respond_async, wait } = Preferences::of(&headers);
        (respond_async, wait.map(|wait| wait.as_secs()))
    }

    #[test]
    fn preferences_stand_among_others() {
        let table: [(&[&str], _); 14] = [
            (&[], (false, None)),
            (&["respond-async"], (true, None)),
            (&["Respond-Async"], (true, None)),
            (&["return=minimal", "respond-async"], (true, None)),
            (&["return=minimal, respond-async , wait=10"], (true, Some(10))),
            (&["wait = \"10\" ; x=y, respond-async; foo=bar"], (true, Some(10))),
            (&["wait=10, wait=20"], (false, Some(10))),
            (&["wait=soon, wait=20"], (false, None)),
            (&["wait=-1", "wait", "respond-async="], (true, None)),
            (&["handling=lenient; x=\"a, respond-async, b\""], (false, None)),
            (&[r#"x="\", respond-async""#], (false, None)),
            (&[r#"x="\\", respond-async"#], (true, None)),
            (&[",,;;==\"", "respond-async"], (true, None)),
            (&["respond-asynchronously"], (false, None)),
        ];
        for (fields, expected) in table {
            assert_eq!(preferences(fields), expected, "{fields:?}");
        }
    }
}
