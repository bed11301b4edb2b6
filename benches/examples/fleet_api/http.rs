//! Just enough of an HTTP client.

use crate::Outcome;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that is kept for one request after the other.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(server: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let stream = BufReader::with_capacity(1 << 16, stream);
        Ok(Self { stream, line: String::new(), body: Vec::new() })
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, method: &str, target: &str) -> Outcome<()> {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        Ok(self.stream.get_mut().write_all(request.as_bytes())?)
    }

    /// Reads the head of an answer 200; returns the length of the body, if it is known.
    pub(crate) fn head(&mut self) -> Outcome<Option<usize>> {
        let status = self.read_line()?;
        if !status.starts_with("HTTP/1.1 200") {
            return Err(status.to_owned().into());
        }
        let mut length = None;
        loop {
            let line = self.read_line()?.trim_end();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = Some(value.parse()?),
                Some(_) => {}
                None => return Ok(length),
            }
        }
    }

    /// Sends a request and reads the body of its answer.
    pub(crate) fn request(&mut self, method: &str, target: &str) -> Outcome<&[u8]> {
        self.send(method, target)?;
        match self.head()? {
            Some(length) => {
                self.body.resize(length, 0);
                self.stream.read_exact(&mut self.body)?;
            }
            None => while self.chunk()? > 0 {},
        }
        Ok(&self.body)
    }

    /// Reads the next chunk of a body into [`Self::body`]; the last one is empty.
    pub(crate) fn chunk(&mut self) -> Outcome<usize> {
        let length = usize::from_str_radix(self.read_line()?.trim_end(), 16)?;
        self.body.resize(length + 2, 0);
        self.stream.read_exact(&mut self.body)?;
        self.body.truncate(length);
        Ok(length)
    }

    /// What the last request or chunk has brought.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    fn read_line(&mut self) -> Outcome<&str> {
        self.line.clear();
        match self.stream.read_line(&mut self.line)? {
            0 => Err("the connection was closed".into()),
            _ => Ok(&self.line),
        }
    }
}
