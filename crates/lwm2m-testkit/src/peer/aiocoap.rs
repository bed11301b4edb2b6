//! `peers/aiocoap_server.py`: a minimal LwM2M server on aiocoap that carries out commands.

use super::installed::{available, free_address, peer_folder, peer_source};
use super::{Error, Process};
use std::net::SocketAddr;
use std::process::Command;

/// A server on aiocoap for one device.
#[derive(Debug)]
pub struct AiocoapServer {
    process: Process,
    /// The address for the device to register at.
    pub address: SocketAddr,
}

impl AiocoapServer {
    /// Starts it on a free port of loopback. `None` if aiocoap is not installed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start() -> Result<Option<Self>, Error> {
        let python = peer_folder("venv/bin/python");
        if !available("aiocoap", python.exists()) {
            return Ok(None);
        }
        let address = free_address()?;
        let mut command = Command::new(python);
        command.arg(peer_source("aiocoap_server.py")).arg(address.port().to_string());
        let mut process = Process::start("aiocoap", &mut command)?;
        process.wait_for("listening", |line| (line == "listening").then_some(()))?;
        Ok(Some(Self { process, address }))
    }

    /// Waits for the rest of the next line that begins with `word`: `registered`, `updated`,
    /// `deregistered`, `notification`.
    ///
    /// # Errors
    /// No such line comes.
    pub fn wait_for(&mut self, word: &'static str) -> Result<String, Error> {
        self.process.wait_for(word, |line| Some(line.strip_prefix(word)?.trim().to_owned()))
    }

    /// Sends a command to the device and returns `CODE CONTENT_FORMAT HEX`.
    ///
    /// # Errors
    /// No answer comes.
    pub fn ask(&mut self, command: &str) -> Result<String, Error> {
        self.process.tell(command)?;
        self.wait_for("answer")
    }
}

/// `peers/aiocoap_device.py`: a LwM2M 1.1 device on aiocoap with text and SenML JSON, named
/// `aiocoap-device`.
#[derive(Debug)]
pub struct AiocoapDevice {
    _process: Process,
}

impl AiocoapDevice {
    /// Starts it, and waits until it is registered at `server`. `None` if aiocoap is not there.
    ///
    /// # Errors
    /// It cannot be started, or is not registered.
    pub fn start(server: SocketAddr) -> Result<Option<Self>, Error> {
        let python = peer_folder("venv/bin/python");
        if !available("aiocoap", python.exists()) {
            return Ok(None);
        }
        let mut command = Command::new(python);
        command.arg(peer_source("aiocoap_device.py")).arg(server.port().to_string());
        let mut process = Process::start("aiocoap device", &mut command)?;
        process.wait_for("registered", |line| (line == "registered").then_some(()))?;
        Ok(Some(Self { _process: process }))
    }
}
