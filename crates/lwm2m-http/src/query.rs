//! What requests of operations share: the query parameters `format`, `timeout`, `replace`, those of
//! commands, flags; the headers `Prefer` and `Idempotency-Key`.

use crate::error::ApiError;
use crate::prefer::Preferences;
use axum::extract::{FromRequestParts, Query, RawQuery};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use lwm2m_core::{Attribute, AttributeName, Attributes, ContentFormat, Path};
use lwm2m_server::CommandOptions;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// The query parameters of a request, in the order in which they were sent.
#[derive(Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    /// The query as it was sent.
    raw: String,
    pub(crate) preferences: Preferences,
    /// `Idempotency-Key`.
    key: Option<String>,
}

/// The parameters of an operation that are no attributes.
const OTHERS: [&str; 5] = ["timeout", "ttl", "priority", "coalesce", "repeat"];

/// The longest key of a command in bytes.
const MAX_KEY: usize = 255;

/// The longest time that a command may wait: a year, in seconds.
const MAX_TTL: u64 = 365 * 86_400;

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Ok(RawQuery(raw)) = RawQuery::from_request_parts(parts, state).await;
        match Query::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Self {
                pairs,
                raw: raw.unwrap_or_default(),
                preferences: Preferences::of(&parts.headers),
                key: key(&parts.headers)?,
            }),
            Err(_) => Err(ApiError::Query),
        }
    }
}

impl Parameters {
    /// The parameters of a query that was kept; `None` if it cannot be read.
    pub(crate) fn of(raw: &str) -> Option<Self> {
        let uri = format!("/?{raw}").parse().ok()?;
        let Query(pairs) = Query::try_from_uri(&uri).ok()?;
        let preferences = Preferences::default();
        Some(Self { pairs, raw: raw.to_owned(), preferences, key: None })
    }

    /// The query as it was sent.
    pub(crate) fn raw(&self) -> &str {
        &self.raw
    }

    /// The names of all parameters.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(name, _)| name.as_str())
    }

    /// The first value of a parameter; empty if it has none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// How an operation is to be handled that becomes a command.
    pub(crate) fn command_options(&self) -> Result<CommandOptions, ApiError> {
        let ttl = self.number("ttl", 1..=MAX_TTL, "a number of seconds from 1 to 31536000")?;
        let priority = self.number("priority", 0..=255, "a whole number from 0 to 255")?;
        Ok(CommandOptions {
            expires_in: ttl.map(Duration::from_secs),
            priority: priority.and_then(|it| u8::try_from(it).ok()).unwrap_or_default(),
            key: self.key.clone(),
            coalesces: self.flag("coalesce"),
            may_repeat: self.flag("repeat"),
        })
    }

    /// A whole number of a range; `expected` says which.
    pub(crate) fn number(
        &self,
        name: &'static str,
        range: RangeInclusive<u64>,
        expected: &'static str,
    ) -> Result<Option<u64>, ApiError> {
        let read = |text: &str| text.parse().ok().filter(|number| range.contains(number));
        let error = ApiError::Parameter { name, expected };
        self.get(name).map(|text| read(text).ok_or(error)).transpose()
    }

    /// The attributes of a Write-Attributes: all parameters that are not for the server.
    pub(crate) fn attributes(&self) -> Result<Vec<Attribute>, ApiError> {
        self.attributes_where(|name| !OTHERS.contains(&name))
    }

    /// The attributes of an observation: the parameters that are some.
    pub(crate) fn attributes_of_observe(&self) -> Result<Vec<Attribute>, ApiError> {
        let is_one = |name: &str| AttributeName::from_name(name).is_some();
        match self.pairs.iter().any(|(name, _)| is_one(name)) {
            true => self.attributes_where(is_one),
            false => Ok(Vec::new()),
        }
    }

    fn attributes_where(&self, is_one: impl Fn(&str) -> bool) -> Result<Vec<Attribute>, ApiError> {
        // `pmin=` is not `pmin`, which unsets, and `&&` names nothing.
        let has_value = self.raw.split('&').map(|part| part.contains('='));
        if has_value.clone().count() != self.pairs.len() && !self.raw.is_empty() {
            return Err(ApiError::Query);
        }
        let mut attributes = Vec::new();
        for ((name, value), has_value) in self.pairs.iter().zip(has_value) {
            if !is_one(name) {
                continue;
            }
            let text = if has_value { format!("{name}={value}") } else { name.clone() };
            let attribute = Attribute::parse(&text);
            attributes.push(attribute.map_err(|error| ApiError::Attribute(text, error))?);
        }
        let set: Attributes = attributes.iter().copied().collect();
        let periods = (set.get(AttributeName::Pmin), set.get(AttributeName::Pmax));
        match periods {
            (Some(pmin), Some(pmax)) if pmax < pmin => Err(ApiError::Periods),
            _ => Ok(attributes),
        }
    }

    /// `format` of a payload to send: a name or a number.
    pub(crate) fn format(&self) -> Result<Option<ContentFormat>, ApiError> {
        self.format_in("format")
    }

    /// A format to ask for; `none` leaves it to the device.
    pub(crate) fn accept_in(&self, name: &'static str) -> Result<Option<ContentFormat>, ApiError> {
        match self.get(name) {
            Some(text) if text.eq_ignore_ascii_case("none") => Ok(Some(ContentFormat::UNSPECIFIED)),
            _ => self.format_in(name),
        }
    }

    /// A content format in another parameter, such as `pathformat`.
    pub(crate) fn format_in(&self, name: &'static str) -> Result<Option<ContentFormat>, ApiError> {
        let expected = "a content format: TLV, JSON, SENML_JSON, SENML_CBOR, LWM2M_CBOR, TEXT, \
                        OPAQUE, CBOR, or a number";
        // Links are no values: they are asked for by `/discover`.
        let carries =
            |it: &ContentFormat| *it != ContentFormat::LINK && *it != ContentFormat::UNSPECIFIED;
        let read = |text| ContentFormat::from_name(text).filter(carries);
        let error = ApiError::Parameter { name, expected };
        self.get(name).map(|text| read(text).ok_or(error)).transpose()
    }

    /// `paths`: those of a composite operation, with commas between them.
    pub(crate) fn paths(&self) -> Result<Arc<[Path]>, ApiError> {
        let expected = "paths with commas between them, such as /3/0/0,/1/0/1";
        let text = self.get("paths").filter(|text| !text.is_empty());
        let error = || ApiError::Parameter { name: "paths", expected };
        let path = |path: &str| match path.trim() {
            "" => Err(error()),
            path => path.parse().map_err(ApiError::from),
        };
        text.ok_or_else(error)?.split(',').map(path).collect()
    }

    /// `timeout` in seconds, `default` without it. More than `max` is refused.
    pub(crate) fn timeout(&self, default: Duration, max: Duration) -> Result<Duration, ApiError> {
        match self.get("timeout").map(str::parse) {
            None => Ok(default),
            Some(Ok(seconds)) if (1..=max.as_secs()).contains(&seconds) => {
                Ok(Duration::from_secs(seconds))
            }
            Some(_) => Err(ApiError::Timeout(max)),
        }
    }

    /// `replace`: true without it.
    pub(crate) fn replace(&self) -> Result<bool, ApiError> {
        let error = ApiError::Parameter { name: "replace", expected: "true or false" };
        self.get("replace").map_or(Ok(true), |text| text.parse().map_err(|_| error))
    }

    /// Whether a flag such as `?active` is there and is not `false`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "false")
    }
}

/// The key by which a request that is sent twice is carried out once. Quotes around it, which the draft
/// of the header demands and few clients send, make no difference.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut all = headers.get_all("idempotency-key").into_iter();
    let Some(key) = all.next() else { return Ok(None) };
    let text = key.to_str().ok().map(str::trim);
    let inner = |text: &str| text.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
    let key = text.map(|text| inner(text).unwrap_or_else(|| text.to_owned()));
    let key = key.filter(|key| (1..=MAX_KEY).contains(&key.len()) && all.next().is_none());
    key.map(Some).ok_or(ApiError::IdempotencyKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Parameters {
        Parameters::of(query).unwrap()
    }

    #[test]
    fn keys_are_short_texts() {
        let key = |fields: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                let value = axum::http::HeaderValue::from_bytes(field).unwrap();
                headers.append("idempotency-key", value);
            }
            key(&headers).ok()
        };
        assert_eq!(key(&[]), Some(None));
        assert_eq!(key(&[b"a b"]), Some(Some("a b".to_owned())));
        assert_eq!(key(&[b"\"a\""]), Some(Some("a".to_owned())));
        assert_eq!(key(&[&[b'a'; 255]]), Some(Some("a".repeat(255))));
        let bad: [&[&[u8]]; 6] =
            [&[b""], &[b" "], &[b"\"\""], &[&[b'a'; 256]], &[b"a", b"a"], &[b"\xe9"]];
        for fields in bad {
            assert_eq!(key(fields), None, "{fields:?}");
        }
    }

    #[test]
    fn what_a_command_is_told() {
        let options = parameters("ttl=60&priority=7&coalesce&repeat=false").command_options();
        let expected = CommandOptions {
            expires_in: Some(Duration::from_secs(60)),
            priority: 7,
            coalesces: true,
            ..CommandOptions::default()
        };
        assert_eq!(options.ok(), Some(expected));
        assert_eq!(parameters("").command_options().ok(), Some(CommandOptions::default()));
        for bad in ["ttl=0", "ttl=", "ttl=31536001", "ttl=1.5", "priority=256", "priority=-1"] {
            assert!(parameters(bad).command_options().is_err(), "{bad}");
        }
    }

    #[test]
    fn formats_are_names_or_numbers() {
        let format = |query| parameters(query).format().ok();
        assert_eq!(format("format=senml_json"), Some(Some(ContentFormat::SENML_JSON)));
        assert_eq!(format("format=11542"), Some(Some(ContentFormat::TLV)));
        assert_eq!(format("timeout=1"), Some(None));
        assert_eq!(format("format=xml"), None);
        assert_eq!(format("format="), None);
        assert_eq!((format("format=LINK"), format("format=40")), (None, None));
    }

    #[test]
    fn timeouts_have_a_default_and_a_bound() {
        let seconds = Duration::from_secs;
        let timeout = |query| parameters(query).timeout(seconds(5), seconds(100)).ok();
        assert_eq!(timeout(""), Some(seconds(5)));
        assert_eq!(timeout("timeout=7"), Some(seconds(7)));
        assert_eq!(timeout("timeout=100"), Some(seconds(100)));
        for bad in [
            "timeout=101",
            "timeout=99999999999",
            "timeout=0",
            "timeout=-1",
            "timeout=x",
            "timeout=",
        ] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_a_bare_name_unsets_an_attribute() {
        let attributes = |query| {
            let attributes = parameters(query).attributes().ok()?;
            Some(attributes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(attributes("pmin&pmax=60&timeout=9&ttl=5").as_deref(), Some("pmin pmax=60"));
        assert_eq!(attributes("gt=%2D1.5").as_deref(), Some("gt=-1.5"));
        let bad = ["pmin=", "pmin=1&&pmax=60", "&pmin=1", "pmin=1&", "pmin=60&pmax=1"];
        for bad in bad {
            assert_eq!(attributes(bad), None, "{bad}");
            assert!(parameters(bad).attributes_of_observe().is_err(), "{bad}");
        }
        assert_eq!(attributes("colour=red"), None);
        let observe = parameters("colour=red&gt=5&format=TLV").attributes_of_observe();
        assert_eq!(observe.ok().map(|all| all.len()), Some(1));
    }

    #[test]
    fn an_empty_path_is_not_the_root() {
        let paths = |query| parameters(query).paths().ok().map(|paths| paths.len());
        assert_eq!(paths("paths=/3/0/0,/1"), Some(2));
        assert_eq!(paths("paths=/"), Some(1));
        for bad in ["paths=/3/0/0,", "paths=,", "paths=/3,,/1", "paths=", ""] {
            assert_eq!(paths(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_format_to_ask_for_may_be_none() {
        let query = parameters("format=none");
        assert_eq!(query.accept_in("format").ok(), Some(Some(ContentFormat::UNSPECIFIED)));
        assert!(query.format().is_err(), "a payload has a format");
        assert!(parameters("format=65535").accept_in("format").is_err());
    }

    #[test]
    fn flags() {
        assert!(parameters("active").flag("active"));
        assert!(parameters("active=true").flag("active"));
        assert!(!parameters("active=false").flag("active"));
        assert!(!parameters("x=1").flag("active"));
        assert_eq!(parameters("").replace().ok(), Some(true));
        assert_eq!(parameters("replace=false").replace().ok(), Some(false));
        assert_eq!(parameters("replace=no").replace().ok(), None);
    }
}
