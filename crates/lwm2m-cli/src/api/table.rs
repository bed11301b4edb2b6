//! Tables for people.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A table: a head, and rows of as many cells.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|it| it.to_uppercase()).collect()] }
    }

    /// Adds a row. Its cells cannot control the terminal, whatever a device has put into them.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    pub(super) fn print(&self) {
        self.lines().iter().for_each(lwm2m_app::print_line);
    }

    fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// A text without what would control a terminal, or turn its direction.
pub(super) fn plain(text: &str) -> String {
    let is_direction = |char| matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let char = |char: char| match char.is_control() || is_direction(char) {
        true => char::REPLACEMENT_CHARACTER,
        false => char,
    };
    text.chars().map(char).collect()
}

/// Milliseconds since 1970 as UTC, to the second; `?` beyond the years of the calendar.
pub(super) fn time(milliseconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1000));
    let text = time.ok().and_then(|time| time.format(&Rfc3339).ok());
    text.unwrap_or_else(|| "?".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_says_does_not_control_the_terminal() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["x\u{1b}[2J\n".to_owned(), "\u{202e}y".to_owned()]);
        assert_eq!(table.lines(), ["A       B", "x\u{fffd}[2J\u{fffd}  \u{fffd}y"]);
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(time(1_767_225_599_999), "2025-12-31T23:59:59Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59Z");
        assert_eq!(time(i64::MAX), "?");
    }
}
