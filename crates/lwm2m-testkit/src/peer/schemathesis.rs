//! `schemathesis`: sends requests that a description in OpenAPI allows, and some that it does not.

use super::Error;
use super::installed::{available, peer_folder};
use std::process::Command;

/// The checks: no 5xx, and no answer whose status, type or body is not described.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";

/// Runs it against an API for some ten seconds, by a token. Returns whether all was as described, and what
/// it said; `None` if it is not installed.
///
/// # Errors
/// It cannot be started.
pub fn schemathesis(api: &str, token: &str) -> Result<Option<(bool, String)>, Error> {
    let program = peer_folder("schemathesis/bin/schemathesis");
    if !available("schemathesis", program.exists()) {
        return Ok(None);
    }
    let output = Command::new(program)
        .args(["run", &format!("{api}/api/openapi.json"), "--no-color", "--seed", "1"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        // Streams have no end, and to log out ends the token.
        .args(["--exclude-path", "/api/event", "--exclude-path", "/api/session"])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "10", "--request-timeout", "10", "--workers", "1"])
        .current_dir(std::env::temp_dir())
        .output()
        .map_err(Error::io("schemathesis"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(Some((output.status.success(), said)))
}
