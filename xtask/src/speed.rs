//! `speed`: CoAP servers under the same load in one run, on loopback: ours, libcoap's and one on the
//! crate `coap`; ours and libcoap's with a pre-shared key, too.
//!
//! Only the CPU time a request compares well between runs: how many requests there are a second
//! depends on what else the machine does.

use crate::process::{output, run};
use crate::{Outcome, process};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What of the report of `lwm2m load` goes into the table.
const ROWS: [&str; 5] = ["requests/s", "p50", "p99", "sent again", "CPU a request, server"];
const PROGRAM: &str = "target/release/lwm2m";
/// The pre-shared key, and as our flags have it.
const PASSWORD: &str = "a shared secret.";
const KEY: [&str; 4] =
    ["--psk-identity", "device", "--psk-key", "6120736861726564207365637265742e"];
/// What builds the server on the crate `coap`.
const PEER: [&str; 7] =
    ["build", "--release", "-p", "lwm2m-benches", "--features=peers", "--example", "coap_server"];

/// A server that ends with its measurement.
struct Server {
    name: &'static str,
    child: Child,
    /// Where it takes coap.
    address: String,
    /// What is asked for.
    uri: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds ours and measures all, each three times.
pub(crate) fn run_all(root: &Path) -> Outcome {
    run(&mut process::command(root, "cargo", &["build", "--release", "-p", "lwm2m-cli"]))?;
    run(&mut process::command(root, "cargo", &PEER))?;
    println!("{:<28}{}", "", ROWS.map(|row| format!("{row:>24}")).concat());
    for round in 0..3 {
        for start in [ours, libcoap, coap_rs, ours_secured, libcoap_secured] {
            match start(root) {
                Ok(server) => measure(root, &server)?,
                Err(error) if round == 0 => println!("left out: {error}"),
                Err(_) => {}
            }
        }
    }
    Ok(())
}

fn measure(root: &Path, server: &Server) -> Outcome {
    wait_for(server)?;
    let pid = server.child.id().to_string();
    let arguments = ["load", &server.uri, "--requests", "200000", "--pid", &pid];
    let report = output(process::command(root, PROGRAM, &arguments).args(KEY))?;
    let cell = |row: &str| {
        let value = report.lines().find_map(|line| line.strip_prefix(row));
        format!("{:>24}", value.unwrap_or_default().trim())
    };
    println!("{:<28}{}", server.name, ROWS.map(cell).concat());
    Ok(())
}

fn ours(root: &Path) -> Outcome<Server> {
    serve_ours(root, "lwm2m coap serve", "coap")
}

fn ours_secured(root: &Path) -> Outcome<Server> {
    serve_ours(root, "lwm2m coap serve, PSK", "coaps")
}

fn serve_ours(root: &Path, name: &'static str, scheme: &str) -> Outcome<Server> {
    let arguments = ["coap", "serve", "--coap", "127.0.0.1:0", "--coaps", "127.0.0.1:0"];
    let mut command = process::command(root, PROGRAM, &arguments);
    let mut child = start(command.args(KEY).stdout(Stdio::piped()))?;
    let stdout = child.stdout.take().ok_or("the server has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut address = |before| -> Outcome<String> {
        let line = lines.next().ok_or("the server says nothing")??;
        Ok(line.strip_prefix(before).ok_or("the server names no address")?.to_owned())
    };
    let (address, secured) = (address("coap on ")?, address("coaps on ")?);
    let at = if scheme == "coap" { &address } else { &secured };
    let uri = format!("{scheme}://{at}/test");
    Ok(Server { name, child, address, uri })
}

fn libcoap(root: &Path) -> Outcome<Server> {
    let port = free_port()?;
    let arguments = ["-A", "127.0.0.1", "-p", &port.to_string()];
    let child = start(&mut process::command(root, "coap-server-notls", &arguments))?;
    let address = format!("127.0.0.1:{port}");
    let uri = format!("coap://{address}/time");
    Ok(Server { name: "coap-server-notls", child, address, uri })
}

/// It takes coaps at the port above that of coap.
fn libcoap_secured(root: &Path) -> Outcome<Server> {
    let port = free_port()?;
    let arguments = ["-A", "127.0.0.1", "-p", &port.to_string(), "-k", PASSWORD, "-h", "hint"];
    let child = start(&mut process::command(root, "coap-server-openssl", &arguments))?;
    let uri = format!("coaps://127.0.0.1:{}/time", u32::from(port) + 1);
    let address = format!("127.0.0.1:{port}");
    Ok(Server { name: "coap-server-openssl, PSK", child, address, uri })
}

fn coap_rs(root: &Path) -> Outcome<Server> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let program = "target/release/examples/coap_server";
    let child = start(&mut process::command(root, program, &[&address]))?;
    let uri = format!("coap://{address}/test");
    Ok(Server { name: "crate coap", child, address, uri })
}

fn free_port() -> Outcome<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until a server answers.
fn wait_for(server: &Server) -> Outcome {
    const GET: [u8; 4] = [0x40, 1, 0, 1];
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(&server.address)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    for _ in 0..100 {
        // Before there is a server, the system may refuse either.
        if socket.send(&GET).is_ok() && socket.recv(&mut [0; 2_048]).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("{} does not answer at {}", server.name, server.address).into())
}

fn start(command: &mut Command) -> Outcome<Child> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.spawn().map_err(|error| format!("{name}: {error}").into())
}
