//! `GET /api/clients?…`: a page of a fleet.

use super::order::{First, Order};
use crate::error::ApiError;
use crate::json::registration::RegistrationJson;
use crate::query::Parameters;
use crate::state::ApiState;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use lwm2m_core::Path;
use lwm2m_net::directory::Listed;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The parameters that ask for a page.
const NAMES: [&str; 10] =
    ["limit", "after", "prefix", "q", "state", "object", "binding", "secure", "fields", "sort"];
/// Those that select devices, besides `prefix`.
const SELECTORS: [&str; 5] = ["q", "state", "object", "binding", "secure"];
/// What else the query of a bulk may have: the options of its commands.
const OPTIONS: [&str; 6] = ["ttl", "priority", "coalesce", "repeat", "format", "replace"];
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: u64 = 1_000;

/// Which devices a page has, and what of them.
#[derive(Debug)]
pub(super) struct Selection<'p> {
    parameters: &'p Parameters,
    limit: usize,
    after: Option<&'p str>,
    /// Another order than that of the endpoint names.
    order: Option<Order>,
    /// What all endpoint names begin with: the tenant's prefix, or a longer one that was asked for.
    /// `None`: one asked for names that do not exist for them.
    prefix: Option<&'p str>,
    contains: &'p str,
    state: Option<&'p str>,
    object: Option<Path>,
    binding: &'p str,
    secure: Option<bool>,
    fields: Option<Vec<&'p str>>,
}

impl<'p> Selection<'p> {
    /// Reads a query; `None` if it asks for all devices.
    pub(super) fn read(
        parameters: &'p Parameters,
        own: Option<&'p str>,
    ) -> Result<Option<Self>, ApiError> {
        if !NAMES.iter().any(|name| parameters.get(name).is_some()) {
            return Ok(None);
        }
        let limit = parameters.number("limit", 1..=MAX_LIMIT, "a number from 1 to 1000")?;
        let limit = limit.and_then(|it| usize::try_from(it).ok()).unwrap_or(DEFAULT_LIMIT);
        Ok(Some(Self {
            parameters,
            limit,
            after: parameters.get("after"),
            order: Order::read(parameters)?,
            prefix: prefix(parameters.get("prefix").unwrap_or_default(), own),
            contains: parameters.get("q").unwrap_or_default(),
            state: one_of(parameters, "state", &["listening", "awake", "asleep"], STATES)?,
            object: parameters.get("object").map(object).transpose()?,
            binding: parameters.get("binding").unwrap_or_default(),
            secure: one_of(parameters, "secure", &["true", "false"], "true or false")?
                .map(|it| it == "true"),
            fields: parameters.get("fields").map(|fields| fields.split(',').collect()),
        }))
    }

    /// Reads the query of a bulk, which says which devices it is about, if only by an empty prefix.
    pub(super) fn of_bulk(
        parameters: &'p Parameters,
        own: Option<&'p str>,
    ) -> Result<Self, ApiError> {
        let of_pages = ["limit", "after", "sort", "fields"];
        if let Some(name) = of_pages.into_iter().find(|name| parameters.get(name).is_some()) {
            return Err(ApiError::Parameter { name, expected: "left out: it selects no devices" });
        }
        let is_known =
            |it: &&str| *it == "prefix" || SELECTORS.contains(it) || OPTIONS.contains(it);
        // What is passed over would select more devices than were meant.
        if let Some(name) = parameters.names().find(|name| !is_known(name)) {
            return Err(ApiError::UnknownParameter(name.to_owned()));
        }
        if let Some(name) = SELECTORS.into_iter().find(|name| parameters.get(name) == Some("")) {
            return Err(ApiError::Parameter { name, expected: "not empty; `prefix=` selects all" });
        }
        let expected = "there, or another one that selects devices; `prefix=` selects all";
        Self::read(parameters, own)?.ok_or(ApiError::Parameter { name: "prefix", expected })
    }

    /// The devices that are wanted among the next ones after a name, and the name after which it goes on.
    pub(super) async fn next_devices(
        &self,
        state: &ApiState,
        after: Option<&str>,
    ) -> (Vec<Listed>, Option<Arc<str>>) {
        let Some(prefix) = self.prefix else { return (Vec::new(), None) };
        let _permit = state.begin_page().await;
        state.server().directory().scan(prefix, after, |device| self.wants(device))
    }

    /// The page as an answer.
    pub(super) async fn answer(
        &self,
        state: &ApiState,
        headers: &HeaderMap,
    ) -> Result<Response, ApiError> {
        let clock = state.server().clock();
        let (devices, has_more) = match self.order {
            Some(order) => {
                let mut first = First::new(order, clock, self.limit, self.after)?;
                self.scan(state, &mut first).await;
                first.into_page()
            }
            None => self.find(state).await,
        };
        let registrations = devices.iter().map(|Listed { registration, is_asleep }| {
            self.chosen(&RegistrationJson::new(registration, clock).asleep(*is_asleep))
        });
        let body = serde_json::to_vec(&registrations.collect::<Result<Vec<_>, _>>()?)?;
        let tag = Sha256::digest(&body);
        let tag = format!("W/\"{}\"", crate::json::value::hex(tag.get(..16).unwrap_or_default()));
        let mut response = match is_known(headers, &tag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        };
        let last = devices.last().filter(|_| has_more);
        let link = last.map(|last| match self.order {
            Some(order) => self.link(&order.place(last, clock).to_string()),
            None => self.link(&last.registration.endpoint),
        });
        for (name, value) in [(ETAG, Some(tag)), (LINK, link)] {
            if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    }

    /// The devices of the page, and whether there are more.
    async fn find(&self, state: &ApiState) -> (Vec<Listed>, bool) {
        let Some(prefix) = self.prefix else { return (Vec::new(), false) };
        let mut devices = Vec::new();
        let mut after = self.after.map(Into::into);
        loop {
            // Searches take turns with lists and with one another, scan by scan.
            let permit = state.begin_page().await;
            let wants = |device: &Listed| self.wants(device);
            let (found, next) = state.server().directory().scan(prefix, after.as_deref(), wants);
            devices.extend(found);
            if devices.len() > self.limit {
                devices.truncate(self.limit);
                return (devices, true);
            }
            if next.is_none() {
                return (devices, false);
            }
            after = next;
            drop(permit);
            tokio::task::yield_now().await;
        }
    }

    /// Looks at all devices that are wanted.
    async fn scan(&self, state: &ApiState, first: &mut First<'_>) {
        let Some(prefix) = self.prefix else { return };
        let mut after = None;
        loop {
            let permit = state.begin_page().await;
            let wants = |device: &Listed| self.wants(device) && first.wants(device);
            let (found, next) = state.server().directory().scan(prefix, after.as_deref(), wants);
            found.into_iter().for_each(|device| first.add(device));
            if next.is_none() {
                return;
            }
            after = next;
            drop(permit);
            tokio::task::yield_now().await;
        }
    }

    fn wants(&self, Listed { registration, is_asleep }: &Listed) -> bool {
        let state = match (registration.queue_mode, is_asleep) {
            (false, _) => "listening",
            (true, false) => "awake",
            (true, true) => "asleep",
        };
        let has = |path: &Path| {
            let object = path.object_id().and_then(|id| registration.list.objects.get(&id));
            object.is_some_and(|object| {
                path.instance_id().is_none_or(|id| object.instances.contains(&id))
            })
        };
        let binding = || registration.binding.to_string();
        let is_secure = registration.identity.secured().is_some();
        contains(&registration.endpoint, self.contains)
            && self.state.is_none_or(|it| it == state)
            && self.object.as_ref().is_none_or(has)
            && self.secure.is_none_or(|it| it == is_secure)
            && (self.binding.is_empty() || self.binding.chars().all(|it| binding().contains(it)))
    }

    /// The members that were asked for.
    fn chosen(&self, registration: &RegistrationJson<'_>) -> serde_json::Result<Json> {
        let mut json = serde_json::to_value(registration)?;
        if let (Some(fields), Some(members)) = (&self.fields, json.as_object_mut()) {
            members.retain(|name, _| fields.contains(&name.as_str()));
        }
        Ok(json)
    }

    /// The address of the next page (RFC 8288).
    fn link(&self, last: &str) -> String {
        let others = NAMES.iter().filter(|name| **name != "after");
        let pairs = others.filter_map(|name| Some((*name, self.parameters.get(name)?)));
        let pairs = pairs.chain([("after", last)]);
        let query: Vec<_> =
            pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        format!("</api/clients?{}>; rel=\"next\"", query.join("&"))
    }
}

const STATES: &str = "listening, awake or asleep";

fn one_of<'p>(
    parameters: &'p Parameters,
    name: &'static str,
    words: &[&str],
    expected: &'static str,
) -> Result<Option<&'p str>, ApiError> {
    match parameters.get(name) {
        Some(word) if !words.contains(&word) => Err(ApiError::Parameter { name, expected }),
        word => Ok(word),
    }
}

/// What all names begin with that one asks for and that exist for them.
fn prefix<'p>(asked: &'p str, own: Option<&'p str>) -> Option<&'p str> {
    let own = own.unwrap_or_default();
    if asked.starts_with(own) {
        return Some(asked);
    }
    own.starts_with(asked).then_some(own)
}

fn object(text: &str) -> Result<Path, ApiError> {
    let expected = "the number of an object, or of its instance: 3303 or 3303/0";
    let path = format!("/{}", text.trim_start_matches('/')).parse::<Path>().ok();
    let path = path.filter(|path| matches!(path.depth(), 1 | 2));
    path.ok_or(ApiError::Parameter { name: "object", expected })
}

/// Whether a name has these characters in it, whatever the case of ASCII letters.
fn contains(name: &str, part: &str) -> bool {
    part.is_empty()
        || name.as_bytes().windows(part.len()).any(|it| it.eq_ignore_ascii_case(part.as_bytes()))
}

/// Whether the caller has this body (RFC 9110 section 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    // Weak comparison: a compressed body is the same answer.
    let opaque = tag.trim_start_matches("W/");
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|value| value.split(','));
    tags.any(|it| matches!(it.trim(), "*") || it.trim().trim_start_matches("W/") == opaque)
}

/// A value of a query, percent-encoded but for unreserved characters.
fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_names_and_addresses() {
        assert!(contains("urn:Meter-7", "meter") && contains("a", "") && contains("a", "A"));
        assert!(!contains("a", "ab") && !contains("", "a"));
        assert_eq!(encoded("a b/ä&"), "a%20b%2F%C3%A4%26");
        assert_eq!(object("3303/0").unwrap(), Path::instance(3303, 0));
        for bad in ["", "x", "3/0/1", "65535", "3303/"] {
            assert!(object(bad).is_err(), "{bad}");
        }
    }
}
