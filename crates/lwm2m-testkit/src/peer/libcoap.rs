//! libcoap's `coap-client` (one request, hand-made option by option) and `coap-server`.

use super::installed::{available, free_address};
use super::{Error, Process};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

const PROGRAM: &str = "coap-client-notls";
const SERVER: &str = "coap-server-notls";

/// Sends single requests to an address.
#[derive(Debug, Clone, Copy)]
pub struct CoapClient(SocketAddr);

/// A response as `coap-client` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code, as `2.05`.
    pub code: String,
    /// The segments of Location-Path, with `/` before each.
    pub location: String,
}

impl CoapClient {
    /// A client of the server at `to`. `None` if libcoap is not installed.
    #[must_use]
    pub fn new(to: SocketAddr) -> Option<Self> {
        available("libcoap", is_installed(PROGRAM)).then_some(Self(to))
    }

    /// Sends a request: `method` in lower case, `target` as path and query, `more` options of the
    /// program.
    ///
    /// # Errors
    /// No answer came within 5 seconds.
    pub fn request(self, method: &str, target: &str, more: &[&str]) -> Result<Reply, Error> {
        let mut command = Command::new(PROGRAM);
        command.args(["-v", "6", "-B", "5", "-m", method]).args(more);
        command.arg(format!("coap://{}{target}", self.0));
        let output = command.output().map_err(Error::io(PROGRAM))?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        // Requests are printed as well, before their responses.
        let response = text.lines().rev().find_map(reply);
        response.ok_or(Error::Garbled { what: "the output of coap-client", text })
    }
}

impl CoapClient {
    /// Sends a request and returns the body that comes back, all blocks of it; for one that
    /// observes, of all notifications in a row.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn body(self, method: &str, target: &str, more: &[&str]) -> Result<Vec<u8>, Error> {
        let mut command = Command::new(PROGRAM);
        command.args(["-B", "5", "-m", method]).args(more);
        command.arg(format!("coap://{}{target}", self.0));
        Ok(command.output().map_err(Error::io(PROGRAM))?.stdout)
    }
}

fn is_installed(program: &str) -> bool {
    let mut probe = Command::new(program);
    // With an unknown argument it prints its usage and exits.
    probe.arg("-?").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// libcoap's example server: `/time` can be observed, `/async?SECONDS` answers late,
/// `/example_data` can be written.
#[derive(Debug)]
pub struct LibcoapServer {
    /// Its address.
    pub address: SocketAddr,
    _process: Process,
}

impl LibcoapServer {
    /// Starts it on a free port of loopback. `None` if libcoap is not installed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start() -> Result<Option<Self>, Error> {
        if !available("libcoap", is_installed(SERVER)) {
            return Ok(None);
        }
        let address = free_address()?;
        let mut command = Command::new(SERVER);
        command.args(["-v", "7", "-A", "127.0.0.1", "-p", &address.port().to_string()]);
        let mut process = Process::start(SERVER, &mut command)?;
        process.wait_for("its endpoint", |line| line.contains("created UDP").then_some(()))?;
        Ok(Some(Self { address, _process: process }))
    }
}

fn reply(line: &str) -> Option<Reply> {
    let line = line.strip_prefix("v:1 t:")?;
    let code = line.split_once(" c:")?.1.split(' ').next()?;
    if !code.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let options = line.split(['[', ']', ',']).map(str::trim);
    let path = options.filter_map(|option| option.strip_prefix("Location-Path:"));
    Some(Reply {
        code: code.to_owned(),
        location: path.fold(String::new(), |all, it| all + "/" + it),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_is_told_from_request() {
        let request = "v:1 t:CON c:POST i:00ca {01} [ Uri-Path:rd, Uri-Query:ep=x ] :: '</1/0>'";
        assert_eq!(reply(request), None);
        let created = reply("v:1 t:ACK c:2.01 i:00ca {01} [ Location-Path:rd, Location-Path:7 ]");
        assert_eq!(created, Some(Reply { code: "2.01".into(), location: "/rd/7".into() }));
        let refused = reply("v:1 t:ACK c:4.00 i:00ca {01} [ ] :: 'no ep'");
        assert_eq!(refused, Some(Reply { code: "4.00".into(), location: String::new() }));
    }
}
