//! The log: lines on standard error.
//!
//! Much in it comes from peers, so no value can look like another line or another field, and no kind
//! of line can crowd out the others: [`WARNINGS`] or [`OTHERS`] lines of a kind in 10 s are written,
//! and a line tells how many were left out. A kind is a place in the code.

mod limit;
mod line;

use limit::Limited;
use line::Fields;
use serde::Deserialize;
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;

pub use limit::{OTHERS, WARNINGS};

/// The log level.
#[derive(clap::ValueEnum, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Failures that need the operator.
    Error,
    /// What the operator may want to look at.
    Warn,
    /// Registrations and de-registrations.
    #[default]
    Info,
    /// Each operation.
    Debug,
    /// Each message.
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// How lines are written.
#[derive(clap::ValueEnum, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: an object a line, with `timestamp`, `level`, `message` and the fields.
    Json,
}

/// Starts the log of the program, as text. Call it once, from `main`.
pub fn start(level: LogLevel) {
    start_as(level, LogFormat::Text);
}

/// Starts the log of the program. Call it once, from `main`.
pub fn start_as(level: LogLevel, format: LogFormat) {
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(level))
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        LogFormat::Text => log
            .with_ansi(std::io::stderr().is_terminal())
            .fmt_fields(Fields)
            .map_event_format(Limited::new)
            .init(),
        LogFormat::Json => {
            let log = log.with_ansi(false).json().flatten_event(true);
            log.with_span_list(false)
                .with_current_span(false)
                .map_event_format(Limited::json)
                .init();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that the log makes of what happens in `happens`.
    fn lines(happens: impl FnOnce()) -> Vec<String> {
        let written = Written::default();
        let writer = written.clone();
        let log = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::DEBUG)
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .fmt_fields(Fields)
            .map_event_format(Limited::new)
            .finish();
        tracing::subscriber::with_default(log, happens);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.trim_start().to_owned()).collect()
    }

    #[test]
    fn nothing_that_a_peer_says_looks_like_another_line_or_field() {
        let endpoint = "x address=6.6.6.6:1";
        let location = "rd/1\n WARN forged\u{1b}[31m\u{202e}";
        let said = lines(|| {
            tracing::info!(%endpoint, address = %"192.0.2.1:5683", "registered");
            tracing::info!(%location, plain = "a\"b", number = 7, "registered");
            tracing::warn!("refused {location}");
        });
        let expected = [
            r#"INFO registered endpoint="x address=6.6.6.6:1" address=192.0.2.1:5683"#,
            r#"INFO registered location="rd/1\n WARN forged\u{1b}[31m\u{202e}" plain="a\"b" number=7"#,
            r"WARN refused rd/1\n WARN forged\u{1b}[31m\u{202e}",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn each_line_for_programs_is_an_object() {
        let written = Written::default();
        let writer = written.clone();
        let log = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_target(false)
            .json()
            .flatten_event(true)
            .map_event_format(Limited::json)
            .finish();
        tracing::subscriber::with_default(log, || {
            let endpoint = "a\"}\n{\"level\":\"ERROR\"";
            tracing::info!(%endpoint, number = 7, "registered");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"registered".into()));
        assert_eq!(line["endpoint"], "a\"}\n{\"level\":\"ERROR\"");
        assert_eq!(line["number"], 7);
    }

    #[test]
    fn a_flood_of_one_kind_leaves_room_for_others() {
        let said = lines(|| {
            for number in 0..1_000 {
                tracing::warn!("handshake {number} failed");
            }
            tracing::warn!("another kind");
        });
        let warnings = WARNINGS as usize;
        assert_eq!(said.len(), warnings + 1);
        assert_eq!(said.last().unwrap(), "WARN another kind");
        let many = lines(|| (0..5_000).for_each(|number| tracing::info!(number, "registered")));
        assert_eq!(many.len(), OTHERS as usize);
    }
}
