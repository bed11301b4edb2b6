//! What `/api/clients/{ep}/{path…}` addresses: a path on a device, and an aspect of it.

use crate::error::ApiError;
use axum::extract::{FromRequestParts, Path as Segments};
use axum::http::request::Parts;
use lwm2m_core::Path;

/// The last segment of the address, where it is a word and no id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Aspect {
    /// No word: the value itself.
    Value,
    Discover,
    Attributes,
    Observe,
}

/// The endpoint name in addresses that have nothing else to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Endpoint(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Endpoint {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segment = Segments::<String>::from_request_parts(parts, state).await;
        segment.map(|Segments(endpoint)| Self(endpoint)).map_err(|_| ApiError::Address)
    }
}

/// A path on a device, and an aspect of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: String,
    pub(crate) path: Path,
    pub(crate) aspect: Aspect,
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = Segments::<(String, String)>::from_request_parts(parts, state).await;
        let Ok(Segments((endpoint, tail))) = segments else { return Err(ApiError::Address) };
        let (path, aspect) = split(&tail)?;
        Ok(Self { endpoint, path, aspect })
    }
}

fn split(tail: &str) -> Result<(Path, Aspect), ApiError> {
    let tail = tail.strip_suffix('/').unwrap_or(tail);
    let (before, last) = tail.rsplit_once('/').unwrap_or(("", tail));
    let aspect = match last {
        "discover" => Aspect::Discover,
        "attributes" => Aspect::Attributes,
        "observe" => Aspect::Observe,
        _ => return Ok((tail.parse()?, Aspect::Value)),
    };
    Ok((before.parse()?, aspect))
}

impl Target {
    /// Refuses a path that has none of the depths that `operation` needs.
    pub(crate) fn check_depth(
        &self,
        depths: std::ops::RangeInclusive<usize>,
        operation: &'static str,
        needed: &'static str,
    ) -> Result<(), ApiError> {
        let fits = depths.contains(&self.path.depth());
        fits.then_some(()).ok_or(ApiError::Depth { operation, needed })
    }

    /// This target, if the path has one of the depths that `operation` needs.
    pub(crate) fn at_depth(
        self,
        depths: std::ops::RangeInclusive<usize>,
        operation: &'static str,
        needed: &'static str,
    ) -> Result<Self, ApiError> {
        self.check_depth(depths, operation, needed)?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_at_the_end_are_aspects() {
        let good = [
            ("3/0/14", Path::resource(3, 0, 14), Aspect::Value),
            ("3/0/", Path::instance(3, 0), Aspect::Value),
            ("3/discover", Path::object(3), Aspect::Discover),
            ("3/0/attributes", Path::instance(3, 0), Aspect::Attributes),
            ("3/0/6/1/observe", Path::resource_instance(3, 0, 6, 1), Aspect::Observe),
            ("observe", Path::ROOT, Aspect::Observe),
        ];
        for (tail, path, aspect) in good {
            assert_eq!(split(tail).unwrap(), (path, aspect), "{tail}");
        }
        for bad in ["3/x", "3//0", "composite", "3/0/observe/1", "65535", "1/2/3/4/5"] {
            assert!(matches!(split(bad), Err(ApiError::Path(_))), "{bad}");
        }
    }
}
