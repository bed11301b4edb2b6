//! What is observed, or is to be.

use super::response::{TargetJson, status};
use lwm2m_coap::Code;
use lwm2m_core::{Attribute, ContentFormat};
use lwm2m_server::{Target, Wish, WishState};
use serde::Serialize;
use serde::ser::Serializer;
use std::collections::BTreeMap;

/// An observation in the list of a device.
#[derive(Serialize, Debug)]
pub(crate) struct ObservationJson<'a> {
    #[serde(flatten)]
    of: TargetJson<'a>,
    /// `observed`, `waiting` or `refused`.
    state: &'static str,
    /// Milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// With what the device refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<CodeJson>,
    /// The format that was asked for; null if the device chooses.
    format: Option<String>,
    #[serde(serialize_with = "attributes", skip_serializing_if = "<[_]>::is_empty")]
    attributes: &'a [Attribute],
}

#[derive(Serialize, Debug)]
struct CodeJson(#[serde(serialize_with = "status")] Code);

impl<'a> ObservationJson<'a> {
    /// The JSON of a wish. `since` makes milliseconds; `format` is the one that the server chose.
    pub(crate) fn of_wish(
        target: &'a Target,
        wish: &'a Wish,
        state: WishState,
        format: Option<ContentFormat>,
        since: impl FnOnce(lwm2m_time::Instant) -> u64,
    ) -> Self {
        let (state, since, code) = match state {
            WishState::Observed(at) => ("observed", Some(since(at)), None),
            WishState::Waiting => ("waiting", None, None),
            WishState::Refused(code) => ("refused", None, Some(CodeJson(code))),
        };
        let attributes = &wish.options.attributes;
        let format = wish.options.format.or(format);
        Self { of: target.into(), state, since, code, format: name(format), attributes }
    }

    /// The JSON of an observation that nobody wished for to last.
    pub(crate) fn of(target: &'a Target, format: ContentFormat) -> Self {
        let format = name(Some(format));
        Self {
            of: target.into(),
            state: "observed",
            since: None,
            code: None,
            format,
            attributes: &[],
        }
    }
}

fn name(format: Option<ContentFormat>) -> Option<String> {
    let format = format.filter(|it| *it != ContentFormat::UNSPECIFIED);
    format.map(|format| format.to_string())
}

/// As those of links: the values as text.
fn attributes<S: Serializer>(all: &[Attribute], serializer: S) -> Result<S::Ok, S::Error> {
    let value = |it: &Attribute| it.value.map(|value| value.to_string());
    // Of an attribute that comes twice, the last value counts.
    let all: BTreeMap<_, _> = all.iter().map(|it| (it.name.as_str(), value(it))).collect();
    serializer.collect_map(all)
}
