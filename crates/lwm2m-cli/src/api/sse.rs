//! Server-sent events: the reader of a stream.

use super::client::{Client, Sent};
use lwm2m_app::Failure;
use serde_json::Value as Json;
use std::io::{BufRead, BufReader, Read};
use ureq::http::Method;

/// The longest line of an event: a registration with all its links fits.
const LONGEST: u64 = 16 << 20;

/// An event with its data.
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: Json,
}

/// Opens a stream of events.
pub(super) fn open(
    client: &Client,
    path: &str,
) -> Result<impl Iterator<Item = Result<Event, Failure>> + use<>, Failure> {
    let response = client.send(&Method::GET, path, &Sent::default())?;
    // A stream may last: the limit is that of a line.
    let body = response.into_body().into_with_config().limit(u64::MAX).reader();
    Ok(Stream { lines: BufReader::new(body) })
}

struct Stream<R> {
    lines: BufReader<R>,
}

impl<R: Read> Iterator for Stream<R> {
    type Item = Result<Event, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            match (&mut self.lines).take(LONGEST).read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(Failure::running(error))),
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() && !data.is_empty() {
                let data = serde_json::from_str(&data).unwrap_or(Json::String(data));
                return Some(Ok(Event { name, data }));
            }
            // A line that begins with a colon is a comment.
            match line.split_once(':') {
                Some(("event", value)) => value.trim_start().clone_into(&mut name),
                Some(("data", value)) => data.push_str(value.trim_start()),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_skipped_and_the_end_of_a_stream_is_no_event() {
        let text =
            b":\n\nevent: A\ndata: {\"x\":1}\n\nevent:B\r\ndata:2\r\n\r\nevent: C\ndata: 3\n";
        let stream = Stream { lines: BufReader::new(&text[..]) };
        let events: Vec<_> =
            stream.map(|it| it.map(|it| format!("{} {}", it.name, it.data)).unwrap()).collect();
        assert_eq!(events, ["A {\"x\":1}", "B 2"]);
    }
}
