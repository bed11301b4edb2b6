//! A child process whose output is read line by line and that never outlives its owner.

use super::{Error, PATIENCE};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// A running child process.
///
/// Collects both output streams; [`Process::wait_for`] takes lines from them. Dropping
/// it kills the child.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    said: Vec<String>,
    untaken: Vec<String>,
}

impl Process {
    /// Starts a command with piped input and output. `name` is for error messages.
    ///
    /// # Errors
    /// The operating system does not start it.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self, Error> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Error::io(name))?;
        let (sender, output) = channel();
        if let Some(stdout) = child.stdout.take() {
            collect(stdout, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            collect(stderr, sender);
        }
        let input = child.stdin.take();
        Ok(Self { name, child, input, output, said: Vec::new(), untaken: Vec::new() })
    }

    /// The operating system's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line for which `found` returns a value and takes it; other lines stay for later
    /// calls.
    ///
    /// # Errors
    /// [`Error::Silent`] when the process ends or [`PATIENCE`] is over before.
    pub fn wait_for<T>(
        &mut self,
        wanted: &'static str,
        found: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut first = 0;
        loop {
            for place in first..self.untaken.len() {
                if let Some(value) = self.untaken.get(place).and_then(|line| found(line)) {
                    self.untaken.remove(place);
                    return Ok(value);
                }
            }
            first = self.untaken.len();
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(line) => {
                    self.said.push(line.clone());
                    self.untaken.push(line);
                }
                Err(_) => return Err(self.silent(wanted)),
            }
        }
    }

    /// Writes a line to the process's standard input.
    ///
    /// # Errors
    /// The process does not read it any more.
    pub fn tell(&mut self, line: &str) -> Result<(), Error> {
        let Some(input) = &mut self.input else { return Err(self.silent("that it listens")) };
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(Error::io(self.name))
    }

    /// Asks the process to end with SIGTERM and waits until it has.
    ///
    /// # Errors
    /// It still runs after [`PATIENCE`].
    pub fn terminate(&mut self) -> Result<(), Error> {
        let id = self.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().map_err(Error::io("kill"))?;
        self.wait_for_end()
    }

    /// Closes the process's standard input and waits until it ends.
    ///
    /// # Errors
    /// It still runs after [`PATIENCE`].
    pub fn close(&mut self) -> Result<(), Error> {
        self.input = None;
        self.wait_for_end()
    }

    /// The resident memory of the process, in KiB (`VmRSS` of `/proc`).
    ///
    /// # Errors
    /// The process has ended, or the system is not Linux.
    pub fn resident_kib(&self) -> Result<u64, Error> {
        let path = format!("/proc/{}/status", self.id());
        let text = std::fs::read_to_string(path).map_err(Error::io("/proc"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.ok_or(Error::Garbled { what: "/proc", text })
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn wait_for_end(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() {
            if Instant::now() > deadline {
                return Err(self.silent("good-bye"));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn silent(&mut self, wanted: &'static str) -> Error {
        self.said.extend(self.output.try_iter());
        Error::Silent { name: self.name, wanted, said: self.said.join("\n") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                break;
            }
        }
    });
}
