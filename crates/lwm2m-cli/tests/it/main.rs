//! The command as its user runs it.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod api;
#[cfg(feature = "mbedtls")]
mod backend;
mod bootstrap;
mod coap;
mod convert;
mod demo;
mod keys;
mod serve;

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs `lwm2m` with arguments and standard input.
fn lwm2m(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lwm2m"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// What a run printed on standard output; it must have succeeded.
fn success(arguments: &[&str], input: &[u8]) -> String {
    let output = lwm2m(arguments, input);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line on standard error of a run that must end with `status`.
fn failure(arguments: &[&str], status: i32) -> String {
    let output = lwm2m(arguments, b"");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}
