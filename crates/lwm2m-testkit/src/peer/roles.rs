//! LwM2M servers and devices, ours or Leshan's, behind one interface.

use super::installed::{available, daemon, peer_folder};
use super::{Error, Http, Process};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

/// The implementation of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The daemons of this workspace.
    Ours,
    /// Eclipse Leshan's libraries, with the programs of `peers/leshan`.
    Leshan,
}

impl Kind {
    /// Whether it can be started; if not, prints what is skipped (see [`available`]).
    #[must_use]
    pub fn is_available(self) -> bool {
        self == Self::Ours || available("Leshan", peer_folder("leshan/stamp").exists())
    }
}

/// A running LwM2M server.
#[derive(Debug)]
pub struct Server {
    /// The process.
    pub process: Process,
    /// The address for devices to register at.
    pub coap: SocketAddr,
    /// The address for devices with DTLS, if it has one.
    pub coaps: Option<SocketAddr>,
    /// Its HTTP API.
    pub http: Http,
}

impl Server {
    /// Starts a server on free ports of loopback and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(kind: Kind) -> Result<Self, Error> {
        match kind {
            Kind::Ours => Self::start_ours_with(&[]),
            Kind::Leshan => Self::run_leshan(&mut leshan("PeerServer")),
        }
    }

    /// Starts Leshan's server for clients that listen so many seconds in queue mode.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_leshan_for_queues(awake: u8) -> Result<Self, Error> {
        Self::run_leshan(leshan("PeerServer").env("PEER_AWAKE_SECONDS", awake.to_string()))
    }

    /// Kills our server and starts a new one at the same address: with the flags, or without state.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn replace_ours(self, flags: &[&str]) -> Result<Self, Error> {
        let coap = self.coap;
        drop(self);
        Self::start_ours_at(&coap.to_string(), flags)
    }

    /// Starts our server on free ports of loopback with more flags, and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_ours_with(flags: &[&str]) -> Result<Self, Error> {
        Self::start_ours_at("127.0.0.1:0", flags)
    }

    fn start_ours_at(coap: &str, flags: &[&str]) -> Result<Self, Error> {
        let mut command = Command::new(daemon("lwm2m-serverd")?);
        command.args(["--coap", coap, "--http", "127.0.0.1:0"]).args(flags);
        command.args(["--trust-loopback", "--reveal-keys"]);
        if !flags.contains(&"--coaps") {
            command.args(["--coaps", "off"]);
        }
        if !flags.contains(&"--data") {
            // Servers of several tests cannot share a store.
            command.arg("--ephemeral");
        }
        let mut process = Process::start("lwm2m-serverd", &mut command)?;
        let coap = process.wait_for("its CoAP address", |line| address(line, "coap on "))?;
        let coaps = match flags.contains(&"--coaps") {
            true => Some(process.wait_for("its DTLS address", |line| address(line, "coaps on "))?),
            false => None,
        };
        let http = process.wait_for("its HTTP address", |line| address(line, "http on http://"))?;
        Ok(Self { process, coap, coaps, http: Http(http) })
    }

    /// The address of our server for `scheme`, which its flags enable.
    ///
    /// # Errors
    /// It does not listen for the scheme.
    pub fn listens_for(&mut self, scheme: &str) -> Result<SocketAddr, Error> {
        let after = format!("listening for {scheme} on ");
        self.process.wait_for("an address of the scheme", |line| address(line, &after))
    }

    /// Starts Leshan's server with Connection IDs of that length, 0 for none of its own, and the
    /// keys in PEM files: its key and the public half of it, or key, certificate, and the authority
    /// of its clients; without any it has pre-shared keys alone.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_secured_leshan(connection_id: u8, files: &[PathBuf]) -> Result<Self, Error> {
        let mut command = leshan("PeerServer");
        command.arg(connection_id.to_string()).args(files);
        let mut server = Self::run_leshan(&mut command)?;
        let port = |line: &str| line.strip_prefix("secured ")?.parse().ok();
        let port: u16 = server.process.wait_for("secured", port)?;
        server.coaps = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Ok(server)
    }

    fn run_leshan(command: &mut Command) -> Result<Self, Error> {
        let mut process = Process::start("Leshan's server", command)?;
        let ports = |line: &str| {
            let (coap, http) = line.strip_prefix("listening ")?.split_once(' ')?;
            let at = |port: &str| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?)));
            Some((at(coap)?, at(http)?))
        };
        let (coap, http) = process.wait_for("listening", ports)?;
        Ok(Self { process, coap, coaps: None, http: Http(http) })
    }
}

/// Starts Leshan's own demo server, of an old milestone whose API has less in its JSON; none if it
/// is not installed (see [`available`]).
///
/// # Errors
/// It cannot be started.
pub fn leshan_demo_server() -> Result<Option<Server>, Error> {
    let folder = peer_folder("leshan-demo");
    if !available("Leshan's demo server", folder.join("stamp").exists()) {
        return Ok(None);
    }
    // It takes no port 0, so free ports are looked up; the sockets are closed again before it starts.
    let udp = || UdpSocket::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let free = || Ok((udp()?, udp()?, TcpListener::bind("127.0.0.1:0")?.local_addr()?));
    let (coap, coaps, http) = free().map_err(Error::io("look for free ports"))?;
    let mut command = Command::new("java");
    // It was made for older Java, where its JSON library could still look into these classes.
    command.arg("--add-opens=java.base/java.util=ALL-UNNAMED").arg("-cp");
    command
        .arg(folder.join("lib").join("*"))
        .arg("org.eclipse.leshan.server.demo.LeshanServerDemo");
    for (flags, address) in
        [(["-lh", "-lp"], coap), (["-slh", "-slp"], coaps), (["-wh", "-wp"], http)]
    {
        let [host, port] = flags;
        command.args([host, &address.ip().to_string(), port, &address.port().to_string()]);
    }
    let mut process = Process::start("Leshan's demo server", &mut command)?;
    process.wait_for("its start", |line| line.contains("Web server started").then_some(()))?;
    Ok(Some(Server { process, coap, coaps: Some(coaps), http: Http(http) }))
}

/// A running device.
#[derive(Debug)]
pub struct Device {
    kind: Kind,
    registered: bool,
    /// The process.
    pub process: Process,
    /// Its endpoint name.
    pub endpoint: &'static str,
}

impl Device {
    /// Starts a device that registers with the server at `server` for `lifetime` seconds.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        kind: Kind,
        server: SocketAddr,
        endpoint: &'static str,
        lifetime: u32,
    ) -> Result<Self, Error> {
        if kind == Kind::Ours {
            return Self::start_ours(server, endpoint, lifetime, &["--lwm2m", "1.1"]);
        }
        Self::start_leshan_at(&format!("coap://{server}"), endpoint, lifetime, &[])
    }

    /// Starts Leshan's device in a mode of security: its name and keys, see
    /// `peers/leshan/src/PeerAccount.java`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_secured_leshan(
        server: SocketAddr,
        endpoint: &'static str,
        lifetime: u32,
        security: &[&str],
    ) -> Result<Self, Error> {
        Self::start_leshan_at(&format!("coaps://{server}"), endpoint, lifetime, security)
    }

    /// Starts Leshan's device in queue mode.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_leshan_in_queue_mode(
        server: SocketAddr,
        endpoint: &'static str,
        lifetime: u32,
    ) -> Result<Self, Error> {
        let mut command = leshan("PeerClient");
        command.args([endpoint, &format!("coap://{server}"), &lifetime.to_string()]);
        let process = Process::start("Leshan's client", command.env("PEER_QUEUE_MODE", "1"))?;
        Ok(Self { kind: Kind::Leshan, registered: false, process, endpoint })
    }

    /// Starts Leshan's device with the URI of its server: `coap`, `coaps`, `coap+tcp`, or `coaps+tcp`, which knows
    /// certificates alone.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_leshan_at(
        uri: &str,
        endpoint: &'static str,
        lifetime: u32,
        security: &[&str],
    ) -> Result<Self, Error> {
        let mut command = leshan("PeerClient");
        command.args([endpoint, uri, &lifetime.to_string()]).args(security);
        let process = Process::start("Leshan's client", &mut command)?;
        Ok(Self { kind: Kind::Leshan, registered: false, process, endpoint })
    }

    /// Starts Leshan's device with the URI of its bootstrap server.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_leshan_at_bootstrap(
        uri: &str,
        endpoint: &'static str,
        security: &[&str],
    ) -> Result<Self, Error> {
        let mut command = leshan("PeerClient");
        command.args([endpoint, uri, "0"]).args(security).env("PEER_BOOTSTRAP", "1");
        let process = Process::start("Leshan's client", &mut command)?;
        Ok(Self { kind: Kind::Leshan, registered: false, process, endpoint })
    }

    /// Starts our device with more flags.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_ours(
        server: SocketAddr,
        endpoint: &'static str,
        lifetime: u32,
        flags: &[&str],
    ) -> Result<Self, Error> {
        Self::start_secured(&format!("coap://{server}"), endpoint, lifetime, flags)
    }

    /// Starts our device with the URI of its server and the flags of its credentials.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_secured(
        server: &str,
        endpoint: &'static str,
        lifetime: u32,
        flags: &[&str],
    ) -> Result<Self, Error> {
        let lifetime = lifetime.to_string();
        let flags = [&["--server", server, "--lifetime", &lifetime], flags].concat();
        Self::start_ours_as(endpoint, &flags)
    }

    /// Starts our device with the URI of its bootstrap server and the flags of its credentials for that.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_ours_at_bootstrap(
        uri: &str,
        endpoint: &'static str,
        flags: &[&str],
    ) -> Result<Self, Error> {
        Self::start_ours_as(endpoint, &[&["--bootstrap", uri], flags].concat())
    }

    fn start_ours_as(endpoint: &'static str, flags: &[&str]) -> Result<Self, Error> {
        let mut command = Command::new(daemon("lwm2m-clientd")?);
        command.args(["--endpoint", endpoint, "--bind", "127.0.0.1:0"]);
        if !flags.contains(&"--period") {
            command.args(["--period", "0"]);
        }
        if !flags.contains(&"--data") {
            command.arg("--ephemeral");
        }
        command.args(flags);
        let process = Process::start("lwm2m-clientd", &mut command)?;
        Ok(Self { kind: Kind::Ours, registered: false, process, endpoint })
    }

    /// Waits until the device has got the answer to its Register; the server reports it earlier.
    ///
    /// # Errors
    /// It does not register.
    pub fn wait_until_registered(&mut self) -> Result<(), Error> {
        if !self.registered {
            // "registered /rd/1", or our log's "… INFO registered location=/rd/1".
            let says_so = |line: &str| {
                let known =
                    line.starts_with("registered ") || line.contains(" registered location");
                known.then_some(())
            };
            self.process.wait_for("registered", says_so)?;
            self.registered = true;
        }
        Ok(())
    }

    /// Makes the device deregister and exit.
    ///
    /// # Errors
    /// It does not exit.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.wait_until_registered()?;
        match self.kind {
            Kind::Ours => self.process.terminate(),
            Kind::Leshan => self.process.close(),
        }
    }
}

pub(crate) fn leshan(program: &str) -> Command {
    let folder = peer_folder("leshan");
    let path = format!("{0}/classes:{0}/lib/*", folder.display());
    let mut command = Command::new("java");
    // Small and quick to start: these processes live for seconds.
    command.args([
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xmx128m",
        "-cp",
        &path,
        program,
    ]);
    command
}

fn address(line: &str, after: &str) -> Option<SocketAddr> {
    line.split_once(after)?.1.trim_end_matches('/').parse().ok()
}
