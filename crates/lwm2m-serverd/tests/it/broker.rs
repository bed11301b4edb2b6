//! Brokers that others have made, and how the tests wait for them.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// The paths of programs. If one is missing, prints what is skipped; with `LWM2M_PEERS=require` in the
/// environment it panics instead.
pub(crate) fn installed<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    let found = names.map(|name| {
        let programs = folders.iter().map(|folder| folder.join(name));
        let found = programs.into_iter().find(|program| program.is_file());
        if found.is_none() {
            let required = std::env::var("LWM2M_PEERS").is_ok_and(|value| value == "require");
            assert!(!required, "no {name}: install Debian's package of that name");
            println!("skipped: no {name}; Debian has a package of that name");
        }
        found
    });
    found.iter().all(Option::is_some).then(|| found.map(Option::unwrap))
}

/// A port that nobody has.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A program; killed when it is dropped.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    /// Starts a broker, and waits until it listens.
    pub(crate) fn broker(command: &mut Command, port: u16) -> Self {
        let broker = Self::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(begun.elapsed() < crate::outputs::PATIENCE, "the broker does not listen");
            std::thread::yield_now();
        }
        broker
    }

    /// The lines that it prints.
    pub(crate) fn lines(&mut self) -> Receiver<String> {
        let (sender, lines) = channel();
        let output = BufReader::new(self.0.stdout.take().unwrap());
        std::thread::spawn(move || {
            // The test may be over.
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        lines
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
