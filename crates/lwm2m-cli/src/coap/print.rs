//! Answers on standard output.

use crate::convert::{coap::option_entries, input};
use lwm2m_app::Failure;
use lwm2m_coap::Response;
use serde_json::json;
use std::io::Write;

/// Prints an answer: a text payload as it is, other payloads in hex; or the whole answer as JSON.
pub(super) fn answer(response: &Response, as_json: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let text = std::str::from_utf8(&response.payload).ok().filter(|text| readable(text));
    let line = match (as_json, text) {
        (true, text) => json!({
            "code": response.code.to_string(),
            "options": option_entries(response.options.iter()),
            "payload": input::to_hex(&response.payload),
            "text": text,
        })
        .to_string(),
        (false, Some(text)) => text.to_owned(),
        (false, None) => input::to_hex(&response.payload),
    };
    if as_json || !line.is_empty() {
        writeln!(out, "{line}").map_err(Failure::running)?;
    }
    Ok(())
}

/// Whether a text contains no control characters for the terminal.
fn readable(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
}
