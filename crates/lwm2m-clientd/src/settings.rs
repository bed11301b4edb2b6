//! The settings of the device: flags, environment, file, defaults, in this order.

use clap::Args;
use lwm2m_app::LogLevel;
use lwm2m_app::secured::Secured;
use lwm2m_core::Version;
use serde::{Deserialize, Deserializer};
use std::net::SocketAddr;

/// The device and its server. An entry of the TOML file has the name of the flag, with `_` for `-`.
#[derive(Args, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Server to register with: coap://, coap+tcp://, or with keys coaps://, coaps+tcp:// [default: coap://127.0.0.1:5683]
    #[arg(long, env = "LWM2M_SERVER", value_name = "URI")]
    pub server: Option<String>,
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

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Version>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

impl Settings {
    /// These settings, with those of `others` where they have none.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            server: self.server.or(others.server),
            endpoint: self.endpoint.or(others.endpoint),
            lifetime: self.lifetime.or(others.lifetime),
            keep_alive: self.keep_alive.or(others.keep_alive),
            bind: self.bind.or(others.bind),
            lwm2m: self.lwm2m.or(others.lwm2m),
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
    fn wrong_entries_are_refused() {
        assert!(toml::from_str::<Settings>("lwm2m = '1.9'").is_err());
        assert!(toml::from_str::<Settings>("lifetme = 90").is_err());
    }
}
