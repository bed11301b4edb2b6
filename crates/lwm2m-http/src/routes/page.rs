//! `GET /` and `/page/…`: the dashboard, from files inside the binary.

use crate::error::ApiError;
use crate::json::value::hex;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Nothing but our own script, style and API; no frames, no forms, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The page itself.
const INDEX: &str = include_str!("../page/index.html");

macro_rules! files {
    ($($kind:ident $name:literal)*) => {
        [$(($name, $kind, include_str!(concat!("../page/", $name)))),*]
    };
}

/// The files that the page loads: name below `/page/`, type, text.
const FILES: [(&str, &str, &str); 38] = files! {
    STYLE "base.css"
    STYLE "views.css"
    SCRIPT "access.js"
    SCRIPT "api.js"
    SCRIPT "audit.js"
    SCRIPT "bulk.js"
    SCRIPT "chart.js"
    SCRIPT "commands.js"
    SCRIPT "composite.js"
    SCRIPT "credentials.js"
    SCRIPT "device.js"
    SCRIPT "device_state.js"
    SCRIPT "editor.js"
    SCRIPT "events.js"
    SCRIPT "fleet.js"
    SCRIPT "fleet_list.js"
    SCRIPT "happenings.js"
    SCRIPT "instance.js"
    SCRIPT "lib.js"
    SCRIPT "login.js"
    SCRIPT "main.js"
    SCRIPT "message_log.js"
    SCRIPT "models.js"
    SCRIPT "new_credential.js"
    SCRIPT "objects.js"
    SCRIPT "observations.js"
    SCRIPT "operations.js"
    SCRIPT "resource.js"
    SCRIPT "router.js"
    SCRIPT "server.js"
    SCRIPT "shell.js"
    SCRIPT "ui.js"
    SCRIPT "values.js"
    SCRIPT "why.js"
    SCRIPT "vendor/lean-qr.js"
    SCRIPT "vendor/preact-htm.js"
    SCRIPT "vendor/uplot.js"
    STYLE "vendor/uplot.css"
};

/// A file as it is served.
struct File {
    content_type: &'static str,
    text: &'static str,
    tag: String,
}

impl File {
    fn new(content_type: &'static str, text: &'static str) -> Self {
        let digest = Sha256::digest(text);
        let tag = format!("\"{}\"", hex(digest.get(..16).unwrap_or_default()));
        Self { content_type, text, tag }
    }

    /// The file, or 304 to a browser that has it: each of a page's files is asked for again at
    /// each visit, so that all are of one version.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let mut response = match known.is_some_and(|tags| tags.contains(&self.tag)) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(CONTENT_TYPE, self.content_type)], self.text).into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::try_from(&*self.tag) {
            headers.insert(ETAG, tag);
        }
        response
    }
}

pub(crate) async fn index(headers: HeaderMap) -> Response {
    static PAGE: OnceLock<File> = OnceLock::new();
    PAGE.get_or_init(|| File::new(HTML, INDEX)).answer(&headers)
}

pub(crate) async fn file(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    static ALL: OnceLock<BTreeMap<&str, File>> = OnceLock::new();
    let files = FILES.iter();
    let all =
        || files.map(|(name, content_type, text)| (*name, File::new(content_type, text))).collect();
    let file = ALL.get_or_init(all).get(&*name);
    Ok(file.ok_or(ApiError::UnknownRoute)?.answer(&headers))
}

/// Adds the headers that keep browsers from misusing a response.
pub(crate) fn secure(response: &mut Response) {
    const HEADERS: [(HeaderName, &str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    // All at once, with those of the response itself.
    response.headers_mut().reserve(HEADERS.len() + 1);
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // Answers of the API are kept nowhere; the files of the page say so themselves.
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().entry(CACHE_CONTROL).or_insert(no_store);
}
