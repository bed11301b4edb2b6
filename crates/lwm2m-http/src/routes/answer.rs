//! Answers in JSON: one value, or a list that is written while it is sent.

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Room for the answer to a Read of one object instance, so that writing it allocates once.
const CAPACITY: usize = 2048;

/// The answer 200 with the JSON of `value`.
pub(crate) fn json(value: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(CAPACITY);
    write(&mut text, value);
    ([(CONTENT_TYPE, JSON)], Bytes::from(text)).into_response()
}

/// The answer 200 with JSON that `body` yields.
pub(crate) fn stream(body: Body) -> Response {
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

/// Appends the JSON of `value`.
pub(crate) fn write(text: &mut Vec<u8>, value: &impl Serialize) {
    // JSON of our own types cannot fail: no map has keys that are neither text nor numbers, and
    // writing into memory has no errors.
    let _ = serde_json::to_writer(text, value);
}
