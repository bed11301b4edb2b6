//! The daemon, and what it says.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A daemon; killed when it is dropped.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts a device, and counts the sessions that it makes.
    pub(crate) fn start(server: SocketAddr, folder: &Path, sessions: &Arc<AtomicU32>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lwm2m-clientd"))
            .args(["--server", &format!("coaps://{server}"), "--endpoint", super::crash::NAME])
            .args(["--psk-identity", super::crash::NAME, "--psk-key", super::crash::KEY_IN_HEX])
            .args(["--bind", "127.0.0.1:0", "--lifetime", "86400", "--period", "1", "--data"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        count(child.stdout.take().unwrap(), Arc::clone(sessions));
        count(child.stderr.take().unwrap(), Arc::clone(sessions));
        Self(child)
    }

    /// Ends the daemon as a power cut does, but for the operating system's buffers.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn count(log: impl std::io::Read + Send + 'static, sessions: Arc<AtomicU32>) {
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            let is_session = line.contains("session established");
            sessions.fetch_add(u32::from(is_session), Ordering::Relaxed);
            if line.contains("WARN") || line.contains("cannot") {
                eprintln!("{line}");
            }
        }
    });
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
