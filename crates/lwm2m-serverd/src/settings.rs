//! The settings of the server: flag over environment over file over default.

use clap::Args;
use lwm2m_daemon::LogLevel;
use serde::Deserialize;
use std::net::SocketAddr;

/// Where the server listens and how much it takes on. All may stand in the TOML file under the
/// name of the flag, with `_` for `-`.
#[derive(Args, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address for CoAP over UDP [default: 0.0.0.0:5683]
    #[arg(long, env = "LWM2M_COAP", value_name = "ADDRESS:PORT")]
    pub coap: Option<SocketAddr>,
    /// Address for the HTTP API and the dashboard [default: 127.0.0.1:8080]
    ///
    /// The API has no access control of its own: whoever reaches it controls the devices.
    #[arg(long, env = "LWM2M_HTTP", value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,
    /// Most devices that may be registered at a time [default: 100000]
    #[arg(long, env = "LWM2M_MAX_REGISTRATIONS", value_name = "NUMBER")]
    pub max_registrations: Option<usize>,
    /// What to log [default: info]
    #[arg(long, env = "LWM2M_LOG", value_name = "LEVEL")]
    pub log: Option<LogLevel>,
}

impl Settings {
    /// These settings, completed by others where they are silent.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            coap: self.coap.or(others.coap),
            http: self.http.or(others.http),
            max_registrations: self.max_registrations.or(others.max_registrations),
            log: self.log.or(others.log),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_first_wins() {
        let flags = Settings { http: "127.0.0.1:1".parse().ok(), ..Settings::default() };
        let file: Settings = toml::from_str("http = \"127.0.0.1:2\"\nlog = \"warn\"").unwrap();
        let both = flags.or(file);
        assert_eq!(both.http, "127.0.0.1:1".parse().ok());
        assert_eq!(both.log, Some(LogLevel::Warn));
        assert_eq!(both.coap, None);
    }

    #[test]
    fn unknown_entries_are_refused() {
        assert!(toml::from_str::<Settings>("htp = \"127.0.0.1:2\"").is_err());
    }
}
