//! How many lines of a kind are written.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Errors and warnings of a kind in 10 s.
pub const WARNINGS: u32 = 20;
/// Other lines of a kind in 10 s. Lines of the level trace are not limited.
pub const OTHERS: u32 = 1_000;
/// The longest start of a line that stands for its kind, in characters.
const SAMPLE: usize = 100;
const WINDOW: Duration = Duration::from_secs(10);

/// Writes the lines of `format`, but of each kind a limited number.
#[derive(Debug)]
pub(super) struct Limited<F> {
    format: F,
    is_json: bool,
    kinds: Mutex<Kinds>,
}

impl<F> Limited<F> {
    pub(super) fn new(format: F) -> Self {
        Self { format, is_json: false, kinds: Mutex::default() }
    }

    /// The same for a format that writes an object a line.
    pub(super) fn json(format: F) -> Self {
        Self { is_json: true, ..Self::new(format) }
    }

    fn left_out(&self, count: u32, sample: &str) -> String {
        let text = format!("{count} more lines in {} s like: {sample}", WINDOW.as_secs());
        match self.is_json {
            true => serde_json::json!({"level": "WARN", "message": text}).to_string(),
            false => text,
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for (count, sample) in kinds.take_left_out(now) {
            writeln!(writer, "{}", self.left_out(count, &sample))?;
        }
        let metadata = event.metadata();
        if !kinds.admit(now, &metadata.callsite(), limit(*metadata.level())) {
            return Ok(());
        }
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        kinds.note(&metadata.callsite(), &line);
        drop(kinds);
        // The line on a terminal has colors, which its sample has not.
        match writer.has_ansi_escapes() {
            true => self.format.format_event(context, writer, event),
            false => writer.write_str(&line),
        }
    }
}

const fn limit(level: Level) -> u32 {
    match level {
        Level::ERROR | Level::WARN => WARNINGS,
        Level::TRACE => u32::MAX,
        _ => OTHERS,
    }
}

/// The kinds of lines that were written. There are as many as places in the code.
#[derive(Debug, Default)]
struct Kinds(HashMap<Identifier, Kind>);

#[derive(Debug)]
struct Kind {
    since: Instant,
    count: u32,
    left_out: u32,
    sample: String,
}

impl Kinds {
    /// Whether one more line of the kind may be written.
    fn admit(&mut self, now: Instant, kind: &Identifier, limit: u32) -> bool {
        let new = || Kind { since: now, count: 0, left_out: 0, sample: String::new() };
        let kind = self.0.entry(kind.clone()).or_insert_with(new);
        if now.duration_since(kind.since) >= WINDOW {
            (kind.since, kind.count) = (now, 0);
        }
        let is_admitted = kind.count < limit;
        match is_admitted {
            true => kind.count += 1,
            false => kind.left_out = kind.left_out.saturating_add(1),
        }
        is_admitted
    }

    /// Keeps the start of a line, by which its kind is told.
    fn note(&mut self, kind: &Identifier, line: &str) {
        if let Some(kind) = self.0.get_mut(kind) {
            kind.sample.clear();
            kind.sample.extend(line.trim().chars().take(SAMPLE));
        }
    }

    /// Takes how many lines were left out in windows that are over, and what they were like.
    fn take_left_out(&mut self, now: Instant) -> Vec<(u32, String)> {
        let is_over =
            |kind: &&mut Kind| kind.left_out > 0 && now.duration_since(kind.since) >= WINDOW;
        let over = self.0.values_mut().filter(is_over);
        over.map(|kind| (std::mem::take(&mut kind.left_out), kind.sample.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::{Callsite, callsite::DefaultCallsite};

    fn kind() -> Identifier {
        static METADATA: tracing::Metadata<'static> = tracing::metadata! {
            name: "a kind",
            target: "test",
            level: Level::WARN,
            fields: &[],
            callsite: &CALLSITE,
            kind: tracing::metadata::Kind::EVENT,
        };
        static CALLSITE: DefaultCallsite = DefaultCallsite::new(&METADATA);
        CALLSITE.metadata().callsite()
    }

    #[test]
    fn what_was_left_out_is_told_once_when_its_time_is_over() {
        let (start, kind) = (Instant::now(), kind());
        let mut kinds = Kinds::default();
        let admitted = (0..100).filter(|_| kinds.admit(start, &kind, 20)).count();
        kinds.note(&kind, "WARN a line\n");
        assert_eq!(admitted, 20);
        assert!(kinds.take_left_out(start + WINDOW / 2).is_empty());
        let later = start + WINDOW;
        assert_eq!(kinds.take_left_out(later), [(80, "WARN a line".to_owned())]);
        assert!(kinds.take_left_out(later).is_empty());
        assert!(kinds.admit(later, &kind, 20));
    }
}
