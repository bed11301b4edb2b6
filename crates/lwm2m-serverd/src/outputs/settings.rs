//! `[[outputs]]` of the settings file, and the flags that stand for one of them.

use super::Target;
use super::address::Address;
use super::mqtt::Mqtt;
use super::nats::Nats;
use super::topic::Topic;
use super::webhook::{self, Webhook};
use crate::Settings;
use lwm2m_app::Failure;
use lwm2m_http::{Description, Filter};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The ports of brokers, without and with security.
const MQTT_PORTS: [u16; 2] = [1_883, 8_883];

/// The port of NATS servers.
const NATS_PORT: u16 = 4_222;

/// The longest name of an output.
const MOST_NAME: usize = 64;

/// An output of events: an `[[outputs]]` table of the settings file.
#[derive(Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct OutputSettings {
    /// Its name: letters, digits, `.`, `_` and `-`. It is also the name of its cursor.
    pub name: String,
    /// Where the events go.
    pub url: String,
    /// File with a secret: of a webhook that by which the requests are signed, of a broker a line
    /// `user:password`.
    pub secret: Option<PathBuf>,
    /// File with the authorities of the receiver in PEM. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// The topic of MQTT, or the subject of NATS. `{ep}` and `{kind}` stand for those of the event. Default:
    /// `lwm2m/{ep}/{kind}`, and with dots for NATS.
    pub topic: Option<String>,
    /// The names of the events; empty for all.
    #[serde(default)]
    pub kinds: BTreeSet<String>,
    /// What the endpoint names of the devices begin with.
    #[serde(default)]
    pub prefix: String,
}

impl OutputSettings {
    fn wrong(&self, what: &str) -> Failure {
        Failure::usage(format!("the output `{}`: {what}", self.name))
    }

    fn check(&self) -> Result<(), Failure> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if self.name.is_empty() || self.name.len() > MOST_NAME || !self.name.bytes().all(is_fine) {
            return Err(self.wrong("name it by 1 to 64 letters, digits, `.`, `_` and `-`"));
        }
        let has_topics = ["mqtt", "nats:", "tls:"].iter().any(|it| self.url.starts_with(it));
        if self.topic.is_some() && !has_topics {
            return Err(self.wrong("what is no broker has no `topic`; leave it out"));
        }
        let unknown = self.kinds.iter().find(|kind| !Filter::KINDS.contains(&kind.as_str()));
        unknown.map_or(Ok(()), |kind| {
            let known = Filter::KINDS.join(", ");
            Err(self.wrong(&format!("there is no kind of event `{kind}`; take some of {known}")))
        })
    }

    /// What it is, where the events go, and the address without what may be secret in it.
    fn target(&self) -> Result<(&'static str, Target, String), Failure> {
        match self.url.split_once("://") {
            Some(("http" | "https", _)) => {
                let target = webhook::name(&self.url)
                    .ok_or_else(|| self.wrong("its `url` is no address of a webhook"))?;
                let webhook = Webhook::new(&self.url, self.secret.as_deref(), self.ca.as_deref())?;
                Ok(("webhook", Target::Webhook(Box::new(webhook)), target))
            }
            Some(("file", path)) if path.starts_with('/') => {
                Ok(("file", Target::File(path.into()), path.to_owned()))
            }
            Some(("mqtt" | "mqtts", _)) => {
                let address = self.address(["mqtt", "mqtts"], MQTT_PORTS)?;
                let topic = self.topic('/')?;
                let (secret, ca) = (self.secret.as_deref(), self.ca.as_deref());
                let mqtt = Mqtt::new(&address, topic, secret, ca)?;
                Ok(("mqtt", Target::Mqtt(Box::new(mqtt)), self.url.clone()))
            }
            Some(("nats" | "tls", _)) => {
                let address = self.address(["nats", "tls"], [NATS_PORT; 2])?;
                let topic = self.topic('.')?;
                let (secret, ca) = (self.secret.as_deref(), self.ca.as_deref());
                let nats = Nats::new(address, topic, secret, ca)?;
                Ok(("nats", Target::Nats(Box::new(nats)), self.url.clone()))
            }
            _ => Err(self.wrong(
                "its `url` must begin with https://, http://, mqtts://, mqtt://, tls://, nats:// or file:///, for example file:///var/lib/events.jsonl",
            )),
        }
    }

    /// The address of a broker.
    fn address(&self, schemes: [&str; 2], ports: [u16; 2]) -> Result<Address, Failure> {
        Address::new(&self.url, schemes, ports).ok_or_else(|| {
            self.wrong("its `url` must be scheme, host and perhaps port, such as mqtts://mqtt.example.com; a password belongs to the file `secret`")
        })
    }

    fn topic(&self, separator: char) -> Result<Topic, Failure> {
        let default = ["lwm2m", "{ep}", "{kind}"].join(&separator.to_string());
        let text = self.topic.as_ref().unwrap_or(&default);
        Topic::new(text, separator).ok_or_else(|| {
            self.wrong(&format!(
                "its `topic` must be names, such as {default}, without spaces and wildcards"
            ))
        })
    }

    fn open(&self) -> Result<(Description, Target), Failure> {
        let (kind, target, address) = self.target()?;
        let filter = Filter { kinds: self.kinds.clone(), prefix: self.prefix.clone() };
        let name = self.name.clone();
        Ok((Description { name, kind, target: address, filter }, target))
    }
}

/// The outputs of the settings.
pub(super) fn all(settings: &Settings) -> Result<Vec<(Description, Target)>, Failure> {
    settings.outputs.iter().try_for_each(OutputSettings::check)?;
    let mut all =
        settings.outputs.iter().map(OutputSettings::open).collect::<Result<Vec<_>, _>>()?;
    if let Some(file) = &settings.events_file {
        let (name, target) = ("file".to_owned(), file.display().to_string());
        let filter = Filter::default();
        let description = Description { name, kind: "file", target, filter };
        all.push((description, Target::File(file.clone())));
    }
    for url in &settings.webhooks {
        let target = webhook::name(url).ok_or_else(|| {
            let wrong = "write for example https://example.com/events";
            Failure::usage(format!("`{url}` is no address of a webhook; {wrong}"))
        })?;
        let (name, filter) = (format!("webhook {target}"), Filter::default());
        let webhook = Webhook::new(url, settings.webhook_secret.as_deref(), None)?;
        let description = Description { name, kind: "webhook", target, filter };
        all.push((description, Target::Webhook(Box::new(webhook))));
    }
    if settings.ephemeral && !all.is_empty() {
        return Err(Failure::usage("outputs need events that are kept; leave --ephemeral out"));
    }
    let mut names = BTreeSet::new();
    match all.iter().find(|(it, _)| !names.insert(&it.name)) {
        // They would have one cursor.
        Some((twice, _)) => Err(Failure::usage(format!(
            "two outputs are named `{}`; give each a name, or a path, of its own",
            twice.name
        ))),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Result<Vec<Description>, String> {
        let settings: Settings = toml::from_str(file).map_err(|error| error.to_string())?;
        let all = all(&settings).map_err(|error| error.to_string())?;
        Ok(all.into_iter().map(|(it, _)| it).collect())
    }

    #[test]
    fn each_output_has_a_cursor_of_its_own() {
        let names = |file: &str| {
            read(file).map(|all| all.into_iter().map(|it| it.name).collect::<Vec<_>>())
        };
        let both = "webhook = [\"https://a.example/x\", \"https://a.example/y\"]";
        let expected = ["webhook https://a.example/x", "webhook https://a.example/y"];
        assert_eq!(names(both).expect("names"), expected);
        let twice = "webhook = [\"https://a.example/x?to=1\", \"https://a.example/x?to=2\"]";
        let refused = names(twice).expect_err("a refusal");
        assert!(refused.contains("named `webhook https://a.example/x`"), "{refused}");
        let file = "events_file = \"a\"\n[[outputs]]\nname = \"file\"\nurl = \"file:///b\"";
        assert!(names(file).expect_err("a refusal").contains("two outputs are named `file`"));
    }

    #[test]
    fn a_table_tells_what_goes_where() {
        let file = "[[outputs]]\nname = \"crm\"\nurl = \"https://me:pw@crm.example/in?key=1\"\n\
                    kinds = [\"UPDATED\"]\nprefix = \"eu-\"";
        let [output] = &read(file).expect("an output")[..] else { panic!("one output") };
        let told = (&*output.name, output.kind, &*output.target);
        assert_eq!(told, ("crm", "webhook", "https://crm.example/in"));
        assert_eq!(output.filter.prefix, "eu-");
        assert!(output.filter.kinds.contains("UPDATED"));
    }

    #[test]
    fn mistakes_are_named_with_their_remedy() {
        let output = |rest: &str| read(&format!("[[outputs]]\n{rest}")).expect_err("a refusal");
        let table = [
            ("name = \"a b\"\nurl = \"file:///x\"", "letters, digits"),
            ("name = \"a\"\nurl = \"ftp://x\"", "must begin with https://"),
            ("name = \"a\"\nurl = \"file://x\"", "must begin with https://"),
            ("name = \"a\"\nurl = \"http:///x\"", "no address"),
            ("name = \"a\"\nurl = \"mqtt://me:pw@x\"", "belongs to the file `secret`"),
            ("name = \"a\"\nurl = \"mqtt://x\"\ntopic = \"a/#\"", "without spaces and wildcards"),
            ("name = \"a\"\nurl = \"http://x/\"\ntopic = \"a\"", "has no `topic`"),
            ("name = \"a\"\nurl = \"file:///x\"\nkinds = [\"UPDATE\"]", "REGISTRATION, UPDATED"),
            ("name = \"a\"\nurl = \"file:///x\"\ncolour = 1", "unknown field"),
            ("name = \"a\"\nurl = \"http://x/\"\nsecret = \"/missing\"", "/missing"),
        ];
        for (rest, expected) in table {
            assert!(output(rest).contains(expected), "{rest}: {}", output(rest));
        }
        let refused = read("ephemeral = true\n[[outputs]]\nname = \"a\"\nurl = \"file:///x\"");
        assert!(refused.expect_err("a refusal").contains("--ephemeral"));
    }
}
