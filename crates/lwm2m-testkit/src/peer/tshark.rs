//! Wireshark's `tshark`: reads captures.

use super::installed::{available, on_path, program};
use super::{Error, Http};
use std::process::Command;

/// A packet as Wireshark reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dissected {
    /// The protocols, the lowest first: `raw:ip:udp:dtls:coap`.
    pub protocols: String,
    /// The path of the request, also of an answer.
    pub path: String,
    /// The lines of a payload that is text, among other texts.
    pub text: String,
    /// The Connection ID of a record.
    pub connection_id: String,
    /// What was said of the packet.
    pub comment: String,
}

/// The columns, in the order of [`Dissected`].
const FIELDS: [&str; 5] = [
    "frame.protocols",
    "coap.opt.uri_path_recon",
    "text",
    "dtls.record.connection_id",
    "frame.comment",
];

/// Has `lwm2m capture` write the capture of a device, and reads it without any setting; `None` if
/// `tshark` is not installed (see [`available`]).
///
/// # Errors
/// A program cannot be started, or fails.
pub fn dissect(server: Http, endpoint: &str) -> Result<Option<Vec<Dissected>>, Error> {
    let tshark = on_path("tshark");
    if !available("tshark", tshark.is_some()) {
        return Ok(None);
    }
    let tshark = tshark.unwrap_or_default();
    let folder = tempfile::tempdir().map_err(Error::io("a folder for a capture"))?;
    let file = folder.path().join("device.pcapng");
    let mut capture = Command::new(program("lwm2m-cli", "lwm2m")?);
    capture.args(["capture", endpoint, "--server", &format!("http://{}", server.0), "--output"]);
    run("lwm2m capture", capture.arg(&file).env("LWM2M_CONFIG_DIR", folder.path()))?;
    let mut reading = Command::new(tshark);
    reading.args(["-n", "-T", "fields", "-E", "separator=|", "-r"]).arg(&file);
    // The settings of whoever runs the tests must not matter.
    reading.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
    FIELDS.iter().for_each(|field| _ = reading.args(["-e", field]));
    let lines = run("tshark", &mut reading)?;
    Ok(Some(lines.lines().map(dissected).collect()))
}

fn dissected(line: &str) -> Dissected {
    let mut columns = line.split('|').map(str::to_owned);
    let mut next = || columns.next().unwrap_or_default();
    Dissected {
        protocols: next(),
        path: next(),
        text: next(),
        connection_id: next(),
        comment: next(),
    }
}

/// What a program prints.
fn run(what: &'static str, command: &mut Command) -> Result<String, Error> {
    let output = command.output().map_err(Error::io(what))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(Error::Garbled { what, text })
        }
    }
}
