//! The settings as texts, made from the flags: a sample of the file, and a reference.

use crate::Settings;
use clap::{Arg, ArgAction, Args, Command};
use std::fmt::Write;

/// An output, with all that it may have.
const OUTPUT: &str = r#"
#[[outputs]]
## Its name, also that of its cursor
#name = "crm"
## Where the events go: https, http, mqtts, mqtt, tls or nats (JetStream), or file
#url = "https://example.com/events"
## File with a secret: of a webhook that by which requests are signed, of a broker a line user:password
#secret = "FILE"
## File with the authorities of the receiver in PEM; by default those of the system
#ca = "FILE"
## The topic of MQTT, or with dots the subject of NATS, with the endpoint name and the kind of the event in place of {ep} and {kind}
#topic = "lwm2m/{ep}/{kind}"
## Only these events: REGISTRATION, UPDATED, DEREGISTRATION, REQUEST_RESPONSE, OBSERVED, OBSERVATION_REFUSED
#kinds = ["REGISTRATION", "DEREGISTRATION"]
## Only those of devices whose endpoint names begin with this
#prefix = "eu-"
"#;

/// A settings file with all settings as comments.
#[must_use]
pub fn sample() -> String {
    let mut text =
        "# Settings of lwm2m-serverd, all of them, with their defaults where they have some.\n\
                    # Flags and environment variables go before this file.\n"
            .to_owned();
    for setting in settings() {
        text.push('\n');
        for line in setting.help.lines().chain(setting.more.iter().map(String::as_str)) {
            let _ = writeln!(text, "{}", format!("# {line}").trim_end());
        }
        let _ = writeln!(text, "#{} = {}", setting.name, setting.example());
    }
    text.push_str(OUTPUT);
    text
}

/// The reference in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = "# Settings of `lwm2m-serverd`\n\n\
                    Made from the code by `lwm2m-serverd settings --reference`. `lwm2m-serverd settings` prints a file with all of them.\n\n\
                    | file | flag | environment | default | what |\n|---|---|---|---|---|\n"
        .to_owned();
    for it in settings() {
        let flag = it.name.replace('_', "-");
        let what = std::iter::once(it.help.as_str()).chain(it.more.iter().map(String::as_str));
        let what = what.collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('\n', " ");
        let default = it.default.unwrap_or_default();
        let _ = writeln!(
            text,
            "| `{}` | `--{flag}` | `{}` | {default} | {what} |",
            it.name, it.variable
        );
    }
    text.push_str("\n## `[[outputs]]`\n\nTables of the file have no flags. Each of these is an output of events.\n\n");
    let tables = OUTPUT.trim_start().lines().map(|line| line.strip_prefix('#').unwrap_or(line));
    let _ = writeln!(text, "```toml\n{}\n```", tables.collect::<Vec<_>>().join("\n"));
    text
}

/// A setting, from its flag.
struct Setting {
    name: String,
    variable: String,
    help: String,
    /// The paragraphs that only the long help has.
    more: Option<String>,
    default: Option<String>,
    value_name: String,
    is_flag: bool,
    is_list: bool,
}

impl Setting {
    fn new(arg: &Arg) -> Option<Self> {
        let help = arg.get_help()?.to_string();
        let (what, default) = match help.split_once(" [default: ") {
            Some((what, default)) => {
                (what.to_owned(), default.strip_suffix(']').map(str::to_owned))
            }
            None => (help, None),
        };
        let long = arg.get_long_help().map(ToString::to_string);
        let more =
            long.and_then(|long| long.split_once("\n\n").map(|(_, more)| more.replace('\n', " ")));
        let value_name = arg.get_value_names().and_then(<[_]>::first);
        Some(Self {
            name: arg.get_long()?.replace('-', "_"),
            variable: arg.get_env()?.to_string_lossy().into_owned(),
            help: what,
            more,
            default,
            value_name: value_name.map(ToString::to_string).unwrap_or_default(),
            is_flag: matches!(arg.get_action(), ArgAction::SetTrue),
            is_list: matches!(arg.get_action(), ArgAction::Append),
        })
    }

    /// Its default as TOML has it, or a placeholder.
    fn example(&self) -> String {
        let value = self.default.as_deref().filter(|it| !it.contains(' ') && *it != "off");
        match value {
            Some(number) if number.parse::<u64>().is_ok() => number.to_owned(),
            Some(text) => format!("\"{text}\""),
            None if self.is_flag => "true".to_owned(),
            None if self.is_list => format!("[\"{}\"]", self.value_name),
            None if self.value_name == "NUMBER" || self.value_name == "LENGTH" => "0".to_owned(),
            None => format!("\"{}\"", self.value_name),
        }
    }
}

fn settings() -> Vec<Setting> {
    let command = Settings::augment_args(Command::new("lwm2m-serverd"));
    command.get_arguments().filter_map(Setting::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_those_of_the_code() {
        let remedy = "run `lwm2m-serverd settings` and put its output there";
        assert_eq!(sample(), include_str!("../../../deploy/lwm2m-serverd.toml"), "{remedy}");
        let remedy = "run `lwm2m-serverd settings --reference` and put its output there";
        assert_eq!(markdown(), include_str!("../../../docs/settings.md"), "{remedy}");
    }

    #[test]
    fn the_defaults_of_the_sample_can_be_read() {
        let with_default = |it: &Setting| it.default.is_some() && !it.example().contains("ADDRESS");
        let lines = settings().into_iter().filter(with_default);
        let lines = lines.map(|it| format!("{} = {}", it.name, it.example()));
        let text = lines.collect::<Vec<_>>().join("\n");
        let read: Result<Settings, _> = toml::from_str(&text);
        assert!(read.is_ok(), "{:?}: {text}", read.err());
    }
}
