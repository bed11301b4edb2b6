//! The query parameters that operations share: `format`, `timeout`, `replace` and flags.

use crate::error::ApiError;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use lwm2m_core::{ContentFormat, Path};
use std::sync::Arc;
use std::time::Duration;

/// The query parameters of a request, in the order in which they were sent.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(ApiError::Query),
        }
    }
}

impl Parameters {
    /// The first value of a parameter; empty if it has none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All parameters.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `format`: a name or a number.
    pub(crate) fn format(&self) -> Result<Option<ContentFormat>, ApiError> {
        self.format_in("format")
    }

    /// A content format in another parameter, such as `pathformat`.
    pub(crate) fn format_in(&self, name: &'static str) -> Result<Option<ContentFormat>, ApiError> {
        let expected = "a content format: TLV, JSON, SENML_JSON, SENML_CBOR, LWM2M_CBOR, TEXT, \
                        OPAQUE, CBOR, or a number";
        // Links are no values: they are asked for by `/discover`.
        let read = |text| ContentFormat::from_name(text).filter(|it| *it != ContentFormat::LINK);
        let error = ApiError::Parameter { name, expected };
        self.get(name).map(|text| read(text).ok_or(error)).transpose()
    }

    /// `paths`: those of a composite operation, with commas between them.
    pub(crate) fn paths(&self) -> Result<Arc<[Path]>, ApiError> {
        let expected = "paths with commas between them, such as /3/0/0,/1/0/1";
        let text = self.get("paths").filter(|text| !text.is_empty());
        let text = text.ok_or(ApiError::Parameter { name: "paths", expected })?;
        text.split(',').map(|path| path.trim().parse().map_err(ApiError::from)).collect()
    }

    /// `timeout` in seconds, `default` without it, never more than `max`.
    pub(crate) fn timeout(&self, default: Duration, max: Duration) -> Result<Duration, ApiError> {
        let error =
            ApiError::Parameter { name: "timeout", expected: "a whole number of seconds above 0" };
        let asked = match self.get("timeout").map(str::parse) {
            None => default,
            Some(Ok(seconds)) if seconds > 0 => Duration::from_secs(seconds),
            Some(_) => return Err(error),
        };
        Ok(asked.min(max))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Parameters {
        let uri = format!("/?{query}").parse().unwrap();
        Parameters(Query::try_from_uri(&uri).unwrap().0)
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
        assert_eq!(timeout("timeout=99999999999"), Some(seconds(100)));
        for bad in ["timeout=0", "timeout=-1", "timeout=x", "timeout="] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
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
