//! Our server and our device on a link of two network namespaces, where only link-local addresses with
//! zones reach each other (RFC 4007).

use super::installed::daemon;
use super::{Error, Process};
use std::process::Command;

/// Two network namespaces with a link between them. They end with this value.
#[derive(Debug)]
pub struct Namespaces {
    names: [String; 2],
}

/// The interfaces of the two sides, and their addresses.
const SIDES: [(&str, &str); 2] = [("server0", "fe80::1"), ("device0", "fe80::2")];

fn ip(arguments: &str) -> bool {
    let output = Command::new("ip").args(arguments.split_whitespace()).output();
    output.is_ok_and(|output| output.status.success())
}

impl Namespaces {
    /// Makes them. `None`, and a line that says so, without the rights for that.
    #[must_use]
    pub fn new() -> Option<Self> {
        let process = std::process::id();
        let names = ["server", "device"].map(|side| format!("lwm2m-{process}-{side}"));
        let namespaces = Self { names };
        let [server, device] = &namespaces.names;
        let [(near, _), (far, _)] = SIDES;
        let made = ip(&format!("netns add {server}"))
            && ip(&format!("netns add {device}"))
            && ip(&format!("link add {near} netns {server} type veth peer {far} netns {device}"))
            && namespaces.names.iter().zip(SIDES).all(|(name, (interface, address))| {
                ip(&format!("-n {name} addr add {address}/64 dev {interface} nodad"))
                    && ip(&format!("-n {name} link set {interface} up"))
                    && ip(&format!("-n {name} link set lo up"))
            });
        if !made {
            println!("skipped: no network namespaces; they need `ip` and root");
        }
        made.then_some(namespaces)
    }

    /// Our server at its link-local address, port 5683.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn server(&self) -> Result<Process, Error> {
        let [name, _] = &self.names;
        let mut command = within(name, "lwm2m-serverd")?;
        command.args([
            "--coap",
            "[fe80::1%server0]:5683",
            "--http",
            "127.0.0.1:0",
            "--ephemeral",
            "--trust-loopback",
        ]);
        let mut process = Process::start("lwm2m-serverd", &mut command)?;
        process.wait_for("its CoAP address", |line| line.contains("coap on ").then_some(()))?;
        Ok(process)
    }

    /// Our device, which registers at the server.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn device(&self, endpoint: &str) -> Result<Process, Error> {
        let [_, name] = &self.names;
        let mut command = within(name, "lwm2m-clientd")?;
        command.args(["--server", "coap://[fe80::1%25device0]", "--endpoint", endpoint]);
        command.arg("--ephemeral");
        Process::start("lwm2m-clientd", &mut command)
    }
}

fn within(namespace: &str, program: &'static str) -> Result<Command, Error> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(daemon(program)?);
    Ok(command)
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}
