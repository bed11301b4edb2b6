//! The text format of Prometheus, version 0.0.4: of each metric a line of help, a line with its type, and a
//! line for each value.
//!
//! Three kinds of lines are no reason for a crate: those that there are keep the values themselves, where ours
//! live in the engine, the store and the directory.

use std::fmt::{Display, Write};

/// The text so far.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a metric.
    pub(super) fn begin(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// A value with labels.
    pub(super) fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        if labels.is_empty() {
            return self.line(format_args!("{name} {value}"));
        }
        let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels = labels.iter().map(label).collect::<Vec<_>>().join(",");
        self.line(format_args!("{name}{{{labels}}} {value}"));
    }

    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, "gauge", help);
        self.value(name, &[], value);
    }

    /// A counter without labels.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, "counter", help);
        self.value(name, &[], value);
    }

    /// A metric whose values differ in one label.
    pub(super) fn family<V: Display>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        label: &str,
        values: &[(&str, V)],
    ) {
        self.begin(name, kind, help);
        values.iter().for_each(|(of, value)| self.value(name, &[(label, of)], value));
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

/// The value of a label as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_lines() {
        let mut text = Text::default();
        text.family(("a_total", "counter", "What."), "of", &[("x\"\\\n", 1), ("y", 2)]);
        text.gauge("b", "Why.", 0.5);
        let expected = "# HELP a_total What.\n# TYPE a_total counter\na_total{of=\"x\\\"\\\\\\n\"} 1\n\
                        a_total{of=\"y\"} 2\n# HELP b Why.\n# TYPE b gauge\nb 0.5\n";
        assert_eq!(String::from(text), expected);
    }
}
