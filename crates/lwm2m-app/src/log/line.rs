//! The fields of a line: values with blanks or quotes are quoted, and what would leave the line or
//! steer a terminal is escaped.

use std::fmt::{self, Debug};
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Formats the fields of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, is_first: true, written: Ok(()) };
        fields.record(&mut line);
        line.written
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    is_first: bool,
    written: fmt::Result,
}

impl Line<'_> {
    fn add(&mut self, field: &Field, value: &str) -> fmt::Result {
        if !std::mem::replace(&mut self.is_first, false) {
            self.writer.write_char(' ')?;
        }
        if field.name() == "message" {
            return escape(&mut self.writer, value, false);
        }
        write!(self.writer, "{}=", field.name())?;
        let is_plain =
            |it: char| it.is_alphanumeric() || (it.is_ascii_graphic() && !"\"=\\".contains(it));
        if !value.is_empty() && value.chars().all(is_plain) {
            return self.writer.write_str(value);
        }
        self.writer.write_char('"')?;
        escape(&mut self.writer, value, true)?;
        self.writer.write_char('"')
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.written.is_ok() {
            self.written = self.add(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Escapes control and invisible characters, and if `quoted` also quotes and backslashes.
fn escape(writer: &mut Writer<'_>, value: &str, quoted: bool) -> fmt::Result {
    for character in value.chars() {
        match character {
            '"' | '\\' if quoted => write!(writer, "\\{character}")?,
            '"' | '\\' | '\'' => writer.write_char(character)?,
            other => write!(writer, "{}", other.escape_debug())?,
        }
    }
    Ok(())
}
