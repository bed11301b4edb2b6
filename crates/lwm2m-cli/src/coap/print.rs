//! Answers on standard output.

use crate::convert::{coap::option_entries, input};
use lwm2m_app::Failure;
use lwm2m_coap::Response;
use serde_json::json;
use std::io::Write;

/// How answers are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// The whole answer as a line of JSON.
    Json,
    /// The payload as a line: text as it is, other payloads in hex.
    Line,
    /// The bytes of the payload and nothing else.
    Raw,
}

/// Writes an answer.
pub(super) fn answer(
    response: &Response,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let text = std::str::from_utf8(&response.payload).ok().filter(|text| readable(text));
    let line = match (style, text) {
        (Style::Raw, _) => {
            out.write_all(&response.payload).map_err(Failure::running)?;
            return out.flush().map_err(Failure::running);
        }
        (Style::Json, text) => json!({
            "code": response.code.to_string(),
            "options": option_entries(response.options.iter()),
            "payload": input::to_hex(&response.payload),
            "text": text,
        })
        .to_string(),
        (Style::Line, Some(text)) => text.to_owned(),
        (Style::Line, None) => input::to_hex(&response.payload),
    };
    if style == Style::Json || !line.is_empty() {
        writeln!(out, "{line}").map_err(Failure::running)?;
    }
    Ok(())
}

/// Whether a text contains no control characters for the terminal.
fn readable(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
}
