//! `GET /`: a page for an operator's first look, from a few files inside the binary.

use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::{Html, IntoResponse, Response};

/// Nothing but our own script, style and API; no frames, no forms, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub(crate) async fn index() -> Html<&'static str> {
    Html(include_str!("../page/index.html"))
}

pub(crate) async fn script() -> Response {
    typed("text/javascript; charset=utf-8", include_str!("../page/page.js"))
}

pub(crate) async fn waiting_script() -> Response {
    typed("text/javascript; charset=utf-8", include_str!("../page/waiting.js"))
}

pub(crate) async fn security_script() -> Response {
    typed("text/javascript; charset=utf-8", include_str!("../page/security.js"))
}

pub(crate) async fn access_script() -> Response {
    typed("text/javascript; charset=utf-8", include_str!("../page/access.js"))
}

pub(crate) async fn style() -> Response {
    typed("text/css; charset=utf-8", include_str!("../page/page.css"))
}

fn typed(content_type: &'static str, body: &'static str) -> Response {
    ([(CONTENT_TYPE, content_type)], body).into_response()
}

/// Adds the headers that keep browsers from misusing a response.
pub(crate) fn secure(response: &mut Response) {
    const HEADERS: [(HeaderName, &str); 6] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}
