//! The settings of the device: flags, environment, file, defaults, in this order.

use clap::Args;
use lwm2m_app::secured::Secured;
use lwm2m_app::{Failure, LogLevel};
use lwm2m_core::Version;
use serde::{Deserialize, Deserializer};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The device and its server. An entry of the TOML file has the name of the flag, with `_` for `-`.
#[derive(Args, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Server to register with: coap://, coap+tcp://, or with keys coaps://, coaps+tcp:// [default: coap://127.0.0.1:5683]
    #[arg(long, env = "LWM2M_SERVER", value_name = "URI")]
    pub server: Option<String>,
    /// Bootstrap server that gives the device its server and keys: coap://, coaps://, coap+tcp:// or
    /// coaps+tcp://; the keys of these settings are then for it
    #[arg(long, env = "LWM2M_BOOTSTRAP", value_name = "URI", conflicts_with_all = ["server", "lifetime", "queue_mode"])]
    pub bootstrap: Option<String>,
    /// Endpoint name of the device [default: lwm2m-device]
    #[arg(long, env = "LWM2M_ENDPOINT", value_name = "NAME")]
    pub endpoint: Option<String>,
    /// Lifetime of the registration in seconds [default: 300]
    #[arg(long, env = "LWM2M_LIFETIME", value_name = "SECONDS")]
    pub lifetime: Option<u32>,
    /// Local address for datagrams [default: any address, any port]
    #[arg(long, env = "LWM2M_BIND", value_name = "ADDRESS:PORT", value_parser = lwm2m_app::address::parse)]
    #[serde(default, deserialize_with = "lwm2m_app::address::optional")]
    pub bind: Option<SocketAddr>,
    /// Seconds of silence on a TCP connection before the device pings the server, and as many more
    /// before it closes the connection; 0: never [default: 600]
    #[arg(long, env = "LWM2M_KEEP_ALIVE", value_name = "SECONDS")]
    pub keep_alive: Option<u32>,
    /// Version of LwM2M to speak: 1.0, 1.1 or 1.2 [default: 1.1]
    #[arg(long, env = "LWM2M_VERSION", value_name = "VERSION")]
    #[serde(default, deserialize_with = "version")]
    pub lwm2m: Option<Version>,
    /// Folder for all that outlives a restart: what servers wrote, made, observe; the registration, the
    /// session [default: lwm2m-clientd/ENDPOINT in the user's data folder]
    ///
    /// Made if it is missing; only its owner can read it. One device at a time uses it.
    #[arg(long, env = "LWM2M_DEVICE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Keep nothing: a restarted device is as if new, and registers anew
    #[arg(long, env = "LWM2M_EPHEMERAL", conflicts_with = "data")]
    #[serde(default)]
    pub ephemeral: bool,
    /// Register in queue mode, and sleep when nothing is to be done: nothing is received then
    #[arg(long, env = "LWM2M_QUEUE_MODE")]
    #[serde(default)]
    pub queue_mode: bool,
    /// Seconds to listen after a message in queue mode [default: 93]
    #[arg(long, env = "LWM2M_AWAKE", value_name = "SECONDS")]
    pub awake: Option<u32>,
    /// Seconds between changes of the simulated values; 0: no changes [default: 5]
    #[arg(long, env = "LWM2M_PERIOD", value_name = "SECONDS")]
    pub period: Option<u32>,
    /// What to log [default: info]
    #[arg(long, env = "LWM2M_LOG", value_name = "LEVEL")]
    pub log: Option<LogLevel>,
    /// The keys for coaps and coaps+tcp; a table of this name in the TOML file
    #[command(flatten)]
    #[serde(default)]
    pub security: Secured,
}

/// An endpoint name as the name of a folder: other bytes than letters, digits, `-` and `_` are written
/// as `%` and two digits.
fn folder_name(endpoint: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02x}"),
    };
    endpoint.bytes().map(byte).collect()
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Version>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

impl Settings {
    /// The endpoint name.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or("lwm2m-device")
    }

    /// What a bootstrap server decides, it alone decides.
    ///
    /// # Errors
    /// There is a bootstrap server, and an account is set besides.
    pub(crate) fn check_bootstrap(&self) -> Result<(), Failure> {
        let others = [
            ("server", self.server.is_some()),
            ("lifetime", self.lifetime.is_some()),
            ("queue_mode", self.queue_mode),
        ];
        match others.into_iter().find(|(_, is_set)| *is_set && self.bootstrap.is_some()) {
            Some((name, _)) => Err(Failure::usage(format!(
                "`bootstrap` and `{name}` are both set, but the bootstrap server decides about the latter; \
                 remove one of them"
            ))),
            None => Ok(()),
        }
    }

    /// The data folder; `None` if nothing is kept.
    ///
    /// # Errors
    /// No folder is named, and the environment does not tell the home of the user.
    pub fn data_folder(&self) -> Result<Option<PathBuf>, Failure> {
        match (&self.data, self.ephemeral) {
            (_, true) => Ok(None),
            (Some(folder), _) => Ok(Some(folder.clone())),
            (None, _) => {
                let all = lwm2m_app::data::default_folder("lwm2m-clientd")?;
                Ok(Some(all.join(folder_name(self.endpoint()))))
            }
        }
    }

    /// These settings, with those of `others` where they have none.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            server: self.server.or(others.server),
            bootstrap: self.bootstrap.or(others.bootstrap),
            endpoint: self.endpoint.or(others.endpoint),
            lifetime: self.lifetime.or(others.lifetime),
            keep_alive: self.keep_alive.or(others.keep_alive),
            bind: self.bind.or(others.bind),
            lwm2m: self.lwm2m.or(others.lwm2m),
            data: self.data.or(others.data),
            ephemeral: self.ephemeral || others.ephemeral,
            queue_mode: self.queue_mode || others.queue_mode,
            awake: self.awake.or(others.awake),
            period: self.period.or(others.period),
            security: self.security.or(others.security),
            log: self.log.or(others.log),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file() {
        let flags = Settings { lifetime: Some(60), ..Settings::default() };
        let file: Settings = toml::from_str("lifetime = 90\nlwm2m = '1.2'").unwrap();
        let both = flags.or(file);
        assert_eq!((both.lifetime, both.lwm2m), (Some(60), Some(Version::V1_2)));
    }

    #[test]
    fn what_a_bootstrap_server_decides_is_not_set_besides() {
        let check = |text: &str| toml::from_str::<Settings>(text).unwrap().check_bootstrap();
        for name in ["server = 'coap://a'", "lifetime = 60", "queue_mode = true"] {
            assert!(check(name).is_ok());
            let both = format!("bootstrap = 'coap://b'\n{name}");
            let error = check(&both).map_err(|it| it.to_string());
            assert!(error.is_err_and(|it| it.contains(&name[..name.find(' ').unwrap()])));
        }
    }

    #[test]
    fn keys_are_all_from_flags_or_all_from_the_file() {
        let file = "server = 'coaps://a'\n[security]\npsk_identity = 'a'\npsk_key = '00'";
        let file: Settings = toml::from_str(file).unwrap();
        assert_eq!(file.security.psk_identity.as_deref(), Some("a"));
        let flags = Settings {
            security: Secured { rpk: Some("key".into()), ..Secured::default() },
            ..Settings::default()
        };
        assert_eq!(flags.clone().or(file.clone()).security, flags.security);
        assert_eq!(Settings::default().or(file.clone()).security, file.security);
        // Entries that are not keys may come from either.
        let more = "[security]\ncid = 0\ntls13 = true\nkeylog = 'log'\nbackend = 'native'";
        let more: Settings = toml::from_str(more).unwrap();
        let Secured { psk_identity, psk_key, .. } = file.security.clone();
        let both = Secured { psk_identity, psk_key, ..more.security.clone() };
        assert_eq!(more.clone().or(file.clone()).security, both);
        assert_eq!(file.or(more).security, both);
        assert!(toml::from_str::<Settings>("[security]\npsk = 'a'").is_err());
    }

    #[test]
    fn each_device_has_a_folder_of_its_own() {
        assert_eq!(folder_name("urn:dev:os:1-a_B"), "urn%3adev%3aos%3a1-a_B");
        assert_eq!(folder_name("../x"), "%2e%2e%2fx");
        let named = Settings { data: Some("d".into()), ..Settings::default() };
        assert_eq!(named.data_folder().unwrap(), Some("d".into()));
        let ephemeral = Settings { ephemeral: true, ..named };
        assert_eq!(ephemeral.data_folder().unwrap(), None);
    }

    #[test]
    fn wrong_entries_are_refused() {
        assert!(toml::from_str::<Settings>("lwm2m = '1.9'").is_err());
        assert!(toml::from_str::<Settings>("lifetme = 90").is_err());
    }
}
