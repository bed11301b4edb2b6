//! The settings of the server: flags, environment, file, defaults, in this order.

use crate::OutputSettings;
use crate::credentials::UnlistedMode;
use clap::Args;
use lwm2m_app::{Failure, Listen, LogFormat, LogLevel};
use lwm2m_dtls::Backend;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Addresses, keys and limits of the server. An entry of the TOML file has the name of the flag,
/// with `_` for `-`.
#[derive(Args, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address for CoAP over UDP, or `off` [default: 0.0.0.0:5683]
    #[arg(long, env = "LWM2M_COAP", value_name = "ADDRESS:PORT")]
    pub coap: Option<Listen>,
    /// Address for CoAP over DTLS, or `off` [default: 0.0.0.0:5684]
    #[arg(long, env = "LWM2M_COAPS", value_name = "ADDRESS:PORT")]
    pub coaps: Option<Listen>,
    /// Address for CoAP over TCP [default: off]
    #[arg(long, env = "LWM2M_COAP_TCP", value_name = "ADDRESS:PORT", value_parser = lwm2m_app::address::parse)]
    #[serde(default, deserialize_with = "lwm2m_app::address::optional")]
    pub coap_tcp: Option<SocketAddr>,
    /// Address for CoAP over TLS [default: off]
    #[arg(long, env = "LWM2M_COAPS_TCP", value_name = "ADDRESS:PORT", value_parser = lwm2m_app::address::parse)]
    #[serde(default, deserialize_with = "lwm2m_app::address::optional")]
    pub coaps_tcp: Option<SocketAddr>,
    /// Address of the bootstrap server for CoAP over UDP [default: off]
    #[arg(long, env = "LWM2M_BOOTSTRAP_COAP", value_name = "ADDRESS:PORT", value_parser = lwm2m_app::address::parse)]
    #[serde(default, deserialize_with = "lwm2m_app::address::optional")]
    pub bootstrap_coap: Option<SocketAddr>,
    /// Address of the bootstrap server for CoAP over DTLS [default: off]
    #[arg(long, env = "LWM2M_BOOTSTRAP_COAPS", value_name = "ADDRESS:PORT", value_parser = lwm2m_app::address::parse)]
    #[serde(default, deserialize_with = "lwm2m_app::address::optional")]
    pub bootstrap_coaps: Option<SocketAddr>,
    /// Address of the bootstrap server for CoAP over TCP [default: off]
    #[arg(long, env = "LWM2M_BOOTSTRAP_COAP_TCP", value_name = "ADDRESS:PORT", value_parser = lwm2m_app::address::parse)]
    #[serde(default, deserialize_with = "lwm2m_app::address::optional")]
    pub bootstrap_coap_tcp: Option<SocketAddr>,
    /// Address of the bootstrap server for CoAP over TLS [default: off]
    #[arg(long, env = "LWM2M_BOOTSTRAP_COAPS_TCP", value_name = "ADDRESS:PORT", value_parser = lwm2m_app::address::parse)]
    #[serde(default, deserialize_with = "lwm2m_app::address::optional")]
    pub bootstrap_coaps_tcp: Option<SocketAddr>,
    /// Address for the HTTP API and the dashboard [default: 127.0.0.1:8080]
    ///
    /// On another address than loopback it needs --http-cert and --http-key, or --behind-proxy.
    #[arg(long, env = "LWM2M_HTTP", value_name = "ADDRESS:PORT", value_parser = lwm2m_app::address::parse)]
    #[serde(default, deserialize_with = "lwm2m_app::address::optional")]
    pub http: Option<SocketAddr>,
    /// Host name that the HTTP API answers to besides IP addresses and localhost; repeatable
    ///
    /// Without the port. Requests for other names get 403. Otherwise a foreign web page could reach
    /// the API by a name that resolves to this server (DNS rebinding). Commas separate names in the
    /// environment variable.
    #[arg(long, env = "LWM2M_HTTP_HOST", value_name = "NAME", value_delimiter = ',')]
    #[serde(default)]
    pub http_host: Vec<String>,
    /// The certificate of the HTTP API in PEM, followed by intermediate ones; read again at SIGHUP
    #[arg(long, env = "LWM2M_HTTP_CERT", value_name = "FILE", requires = "http_key")]
    pub http_cert: Option<PathBuf>,
    /// The private key of that certificate in PEM
    #[arg(long, env = "LWM2M_HTTP_KEY", value_name = "FILE", requires = "http_cert")]
    pub http_key: Option<PathBuf>,
    /// A proxy on a trusted network speaks HTTPS for the HTTP API
    #[arg(long, env = "LWM2M_BEHIND_PROXY")]
    #[serde(default)]
    pub behind_proxy: bool,
    /// Let everybody on this machine do everything by the HTTP API, without a token
    #[arg(long, env = "LWM2M_TRUST_LOOPBACK")]
    #[serde(default)]
    pub trust_loopback: bool,
    /// Give out pre-shared keys to admins without ?reveal, as Leshan's demo server does
    #[arg(long, env = "LWM2M_REVEAL_KEYS")]
    #[serde(default)]
    pub reveal_keys: bool,
    /// TOML file with the credentials of clients and of the server; see docs/operators.md
    #[arg(long, env = "LWM2M_CREDENTIALS", value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Folder for all that outlives a restart: registrations, sessions, credentials set by the HTTP
    /// API, commands, observations [default: lwm2m-serverd in the user's data folder]
    ///
    /// Made if it is missing; only its owner can read it. One server at a time uses it.
    #[arg(long, env = "LWM2M_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Keep nothing: a restart loses registrations and all that was set
    #[arg(long, env = "LWM2M_EPHEMERAL", conflicts_with = "data")]
    #[serde(default)]
    pub ephemeral: bool,
    /// File with credentials that the HTTP API had set before there was a data folder
    ///
    /// They move to the data folder, and the file gets the suffix .imported. With --ephemeral it keeps
    /// the credentials set by the HTTP API.
    #[arg(long, env = "LWM2M_SECURITY_STORE", value_name = "FILE")]
    pub security_store: Option<PathBuf>,
    /// Folder with object definitions in the XML of the OMA registry (*.xml), read again when they change
    #[arg(long, env = "LWM2M_MODELS", value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// The server's private key in PEM: for raw public keys, and of its certificate
    #[arg(long, env = "LWM2M_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The server's certificate in PEM, followed by intermediate ones
    #[arg(long, env = "LWM2M_CERT", value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// Certificate in PEM of an authority of client certificates; repeatable
    #[arg(long, env = "LWM2M_TRUST", value_name = "FILE", value_delimiter = ',')]
    #[serde(default)]
    pub trust: Vec<PathBuf>,
    /// What endpoints without credentials may do [default: no-sec]
    #[arg(long, env = "LWM2M_UNLISTED", value_name = "WHAT")]
    pub unlisted: Option<UnlistedMode>,
    /// Implementation of DTLS and TLS: native, or mbedtls if it is built in [default: native]
    #[arg(long, env = "LWM2M_BACKEND", value_name = "NAME")]
    #[serde(default, deserialize_with = "lwm2m_app::dtls::backend")]
    pub backend: Option<Backend>,
    /// Length in bytes of the DTLS Connection IDs that devices get; 0: none [default: 6; 0 with mbedtls]
    #[arg(long, env = "LWM2M_CID", value_name = "LENGTH")]
    pub cid: Option<u8>,
    /// Number of this server behind a load balancer: the first byte of its Connection IDs [default: 0]
    #[arg(long, env = "LWM2M_NODE", value_name = "NUMBER")]
    pub node: Option<u8>,
    /// File to which the secrets of all sessions are appended, to decrypt captures; for tests only
    #[arg(long, env = "LWM2M_KEYLOG", value_name = "FILE")]
    pub keylog: Option<PathBuf>,
    /// Largest number of registered devices [default: 100000]
    #[arg(long, env = "LWM2M_MAX_REGISTRATIONS", value_name = "NUMBER")]
    pub max_registrations: Option<usize>,
    /// Devices that may register in a second, 0 for any number; others are told when to come back
    /// [default: 5000]
    #[arg(long, env = "LWM2M_MAX_REGISTERS", value_name = "NUMBER")]
    pub max_registers_per_second: Option<u32>,
    /// Handshakes that devices may begin in a second, 0 for any number; others try again [default: 2000]
    #[arg(long, env = "LWM2M_MAX_HANDSHAKES", value_name = "NUMBER")]
    pub max_handshakes_per_second: Option<u32>,
    /// Events of devices that are kept, for GET /api/events; 0: none [default: 10000]
    #[arg(long, env = "LWM2M_EVENTS", value_name = "NUMBER")]
    pub events: Option<u64>,
    /// File to which these events are appended as lines of JSON, each at least once
    #[arg(long, env = "LWM2M_EVENTS_FILE", value_name = "FILE", conflicts_with = "ephemeral")]
    pub events_file: Option<PathBuf>,
    /// Address to which each of these events is sent by POST, as a CloudEvent; may be given several times
    #[arg(long = "webhook", env = "LWM2M_WEBHOOK", value_name = "URL", value_delimiter = ',')]
    #[arg(conflicts_with = "ephemeral")]
    #[serde(default, rename = "webhook")]
    pub webhooks: Vec<String>,
    /// File with the secret by which these are signed: `whsec_` and Base64 (Standard Webhooks)
    #[arg(long, env = "LWM2M_WEBHOOK_SECRET", value_name = "FILE", requires = "webhooks")]
    pub webhook_secret: Option<PathBuf>,
    /// Further outputs of these events.
    #[arg(skip)]
    #[serde(default)]
    pub outputs: Vec<OutputSettings>,
    /// Numeric values of each resource that are kept, for ?history; 0: none [default: 1000]
    #[arg(long, env = "LWM2M_HISTORY", value_name = "NUMBER")]
    pub history: Option<u32>,
    /// Days after which such values are not told any more [default: 30]
    #[arg(long, env = "LWM2M_HISTORY_DAYS", value_name = "DAYS")]
    pub history_days: Option<u32>,
    /// Bytes of memory for the last messages of devices, for GET /api/clients/{ep}/messages; 0: none are
    /// recorded [default: 8388608]
    #[arg(long, env = "LWM2M_RECORDER_BYTES", value_name = "BYTES")]
    pub recorder_bytes: Option<usize>,
    /// Keep no keys of sessions in memory with these messages: captures for Wireshark have the plaintext
    #[arg(long, env = "LWM2M_NO_RECORDER_KEYS")]
    #[serde(default)]
    pub no_recorder_keys: bool,
    /// What to log [default: info]
    #[arg(long, env = "LWM2M_LOG", value_name = "LEVEL")]
    pub log: Option<LogLevel>,
    /// How to log: lines of text, or a JSON object a line [default: text]
    #[arg(long, env = "LWM2M_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl Settings {
    /// The data folder.
    ///
    /// # Errors
    /// None is named, and the environment does not tell the home of the user.
    pub fn data_folder(&self) -> Result<PathBuf, Failure> {
        self.data.clone().map_or_else(|| lwm2m_app::data::default_folder("lwm2m-serverd"), Ok)
    }

    /// These settings, with those of `others` where they have none.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            coap: self.coap.or(others.coap),
            coaps: self.coaps.or(others.coaps),
            coap_tcp: self.coap_tcp.or(others.coap_tcp),
            coaps_tcp: self.coaps_tcp.or(others.coaps_tcp),
            bootstrap_coap: self.bootstrap_coap.or(others.bootstrap_coap),
            bootstrap_coaps: self.bootstrap_coaps.or(others.bootstrap_coaps),
            bootstrap_coap_tcp: self.bootstrap_coap_tcp.or(others.bootstrap_coap_tcp),
            bootstrap_coaps_tcp: self.bootstrap_coaps_tcp.or(others.bootstrap_coaps_tcp),
            http: self.http.or(others.http),
            http_host: if self.http_host.is_empty() { others.http_host } else { self.http_host },
            http_cert: self.http_cert.or(others.http_cert),
            http_key: self.http_key.or(others.http_key),
            behind_proxy: self.behind_proxy || others.behind_proxy,
            trust_loopback: self.trust_loopback || others.trust_loopback,
            reveal_keys: self.reveal_keys || others.reveal_keys,
            credentials: self.credentials.or(others.credentials),
            data: self.data.or(others.data),
            ephemeral: self.ephemeral || others.ephemeral,
            security_store: self.security_store.or(others.security_store),
            models: self.models.or(others.models),
            key: self.key.or(others.key),
            cert: self.cert.or(others.cert),
            trust: if self.trust.is_empty() { others.trust } else { self.trust },
            unlisted: self.unlisted.or(others.unlisted),
            backend: self.backend.or(others.backend),
            cid: self.cid.or(others.cid),
            node: self.node.or(others.node),
            keylog: self.keylog.or(others.keylog),
            max_registrations: self.max_registrations.or(others.max_registrations),
            max_registers_per_second: self
                .max_registers_per_second
                .or(others.max_registers_per_second),
            max_handshakes_per_second: self
                .max_handshakes_per_second
                .or(others.max_handshakes_per_second),
            events: self.events.or(others.events),
            events_file: self.events_file.or(others.events_file),
            webhooks: if self.webhooks.is_empty() { others.webhooks } else { self.webhooks },
            outputs: if self.outputs.is_empty() { others.outputs } else { self.outputs },
            webhook_secret: self.webhook_secret.or(others.webhook_secret),
            no_recorder_keys: self.no_recorder_keys || others.no_recorder_keys,
            recorder_bytes: self.recorder_bytes.or(others.recorder_bytes),
            history: self.history.or(others.history),
            history_days: self.history_days.or(others.history_days),
            log: self.log.or(others.log),
            log_format: self.log_format.or(others.log_format),
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
    fn host_names_can_be_repeated() {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            settings: Settings,
        }
        let flags = ["serverd", "--http-host", "a.example", "--http-host", "b.example"];
        let flags = <Flags as clap::Parser>::parse_from(flags).settings;
        assert_eq!(flags.http_host, ["a.example", "b.example"]);
        let file: Settings = toml::from_str("http_host = [\"c.example\"]").unwrap();
        assert_eq!(Settings::default().or(file.clone()).http_host, ["c.example"]);
        assert_eq!(flags.clone().or(file).http_host, flags.http_host);
    }

    #[test]
    fn the_backend_is_one_that_is_there() {
        let file: Settings = toml::from_str("backend = \"native\"").unwrap();
        assert_eq!(file.backend, Some(Backend::Native));
        let refused = toml::from_str::<Settings>("backend = \"other\"").unwrap_err().to_string();
        assert!(refused.contains("use native or mbedtls"), "{refused}");
        // Built in, or told how to build it in.
        let mbedtls = toml::from_str::<Settings>("backend = \"mbedtls\"");
        assert!(mbedtls.map_or_else(|it| it.to_string().contains("--features"), |_| true));
    }

    #[test]
    fn unknown_entries_are_refused() {
        assert!(toml::from_str::<Settings>("htp = \"127.0.0.1:2\"").is_err());
    }
}
