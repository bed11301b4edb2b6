//! A minimal HTTP client: HTTP/1.0, one request per connection, and server-sent events.

use super::{Error, PATIENCE};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(50);

/// The HTTP API of an LwM2M server.
#[derive(Debug, Clone, Copy)]
pub struct Http(pub SocketAddr);

/// An HTTP response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON; `null` if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

impl Http {
    /// A request without a body. `target` is path and query.
    ///
    /// # Errors
    /// No connection, or no HTTP comes back.
    pub fn send(self, method: &str, target: &str) -> Result<Answer, Error> {
        self.exchange(&format!("{method} {target} HTTP/1.0\r\nHost: {}\r\n\r\n", self.0))
    }

    /// Repeats a GET of `target` until the answer is 200.
    ///
    /// # Errors
    /// The answer is still not 200 after [`PATIENCE`].
    pub fn wait_for(self, target: &str) -> Result<Answer, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.send("GET", target)?;
            if answer.status == 200 {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return Err(Error::Garbled { what: "the HTTP answer", text: answer.body });
            }
            thread::sleep(POLL);
        }
    }

    /// A request with a body of a media type.
    ///
    /// # Errors
    /// No connection, or no HTTP comes back.
    pub fn send_body(
        self,
        method: &str,
        target: &str,
        media_type: &str,
        body: &str,
    ) -> Result<Answer, Error> {
        self.exchange(&format!(
            "{method} {target} HTTP/1.0\r\nHost: {}\r\nContent-Type: {media_type}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.0,
            body.len()
        ))
    }

    /// The events from now on.
    ///
    /// # Errors
    /// No connection, or no stream of events comes back.
    pub fn events(self) -> Result<Events, Error> {
        let mut stream = self.connect()?;
        let request = format!(
            "GET /api/event HTTP/1.0\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n",
            self.0
        );
        stream.write_all(request.as_bytes()).map_err(Error::io("HTTP request"))?;
        stream.set_read_timeout(None).map_err(Error::io("HTTP socket"))?;
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let status = lines.next().unwrap_or_default();
        if !status.contains(" 200") {
            return Err(Error::Garbled { what: "the event stream", text: status });
        }
        // The rest of the header, up to the empty line.
        while lines.next().is_some_and(|line| !line.is_empty()) {}
        let (sender, receiver) = channel();
        thread::spawn(move || deliver(lines, &sender));
        Ok(Events { receiver, passed: Vec::new() })
    }

    fn connect(self) -> Result<TcpStream, Error> {
        let stream = TcpStream::connect_timeout(&self.0, PATIENCE).map_err(Error::io("HTTP"))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(Error::io("HTTP socket"))?;
        Ok(stream)
    }

    fn exchange(self, request: &str) -> Result<Answer, Error> {
        let mut stream = self.connect()?;
        stream.write_all(request.as_bytes()).map_err(Error::io("HTTP request"))?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map_err(Error::io("HTTP answer"))?;
        let parsed = text.split_once("\r\n\r\n").and_then(|(head, body)| {
            let status = head.split(' ').nth(1)?.parse().ok()?;
            Some(Answer { status, body: body.to_owned() })
        });
        parsed.ok_or(Error::Garbled { what: "the HTTP answer", text })
    }
}

fn deliver(lines: impl Iterator<Item = String>, events: &Sender<(String, Value)>) {
    let mut name = String::new();
    for line in lines {
        if let Some(event) = line.strip_prefix("event:") {
            event.trim().clone_into(&mut name);
        } else if let Some(data) = line.strip_prefix("data:") {
            let value = serde_json::from_str(data.trim()).unwrap_or(Value::Null);
            if events.send((name.clone(), value)).is_err() {
                break;
            }
        }
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<(String, Value)>,
    passed: Vec<String>,
}

impl Events {
    /// Waits for the next event with a name and data that `found` accepts; skips others.
    ///
    /// # Errors
    /// [`Error::NoEvent`] after [`PATIENCE`].
    pub fn wait_for(
        &mut self,
        name: &'static str,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<Value, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok((event, data)) = self.receiver.recv_timeout(left) else {
                return Err(Error::NoEvent(name));
            };
            if event == name && fits(&data) {
                return Ok(data);
            }
            self.passed.push(event);
        }
    }

    /// The names of the events that were skipped since the last call.
    pub fn skipped(&mut self) -> Vec<String> {
        std::mem::take(&mut self.passed)
    }
}
