//! Who may use the HTTP API, and by which way: the rules that hold before the first request.

use crate::Settings;
use lwm2m_app::{Failure, keys};
use lwm2m_http::{AccessConfig, ApiState, Https};
use std::net::SocketAddr;

/// What the settings say about access.
///
/// # Errors
/// They would let passwords and tokens through a network in the clear, or everybody in.
pub(crate) fn config(settings: &Settings, http: SocketAddr) -> Result<AccessConfig, Failure> {
    let has_https = settings.http_cert.is_some();
    if !http.ip().is_loopback() && !has_https && !settings.behind_proxy {
        return Err(Failure::usage(format!(
            "the HTTP API on {http} would send tokens in the clear: give --http-cert and --http-key, \
             or --behind-proxy if a proxy on a trusted network speaks HTTPS for it"
        )));
    }
    if settings.trust_loopback && settings.behind_proxy {
        return Err(Failure::usage(
            "--trust-loopback and --behind-proxy do not go together: all requests come from the proxy",
        ));
    }
    let config = AccessConfig::default()
        .with_trust_loopback(settings.trust_loopback)
        .with_https(has_https || settings.behind_proxy)
        .with_behind_proxy(settings.behind_proxy)
        .with_reveal_keys(settings.reveal_keys);
    Ok(config)
}

/// The certificate and key of the API.
///
/// # Errors
/// One of both is missing, or they cannot be used.
pub(crate) fn https(settings: &Settings) -> Result<Option<Https>, Failure> {
    match (settings.http_cert.clone(), settings.http_key.clone()) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            keys::warn_if_shared(&key);
            Https::load(certificate, key).map(Some).map_err(Failure::usage)
        }
        _ => Err(Failure::usage("--http-cert and --http-key go together")),
    }
}

/// Where people find the page.
pub(crate) fn page(settings: &Settings, http: SocketAddr) -> String {
    let is_https = settings.http_cert.is_some() || settings.behind_proxy;
    let scheme = if is_https { "https" } else { "http" };
    match (settings.http_host.first(), settings.behind_proxy) {
        (Some(name), true) => format!("{scheme}://{name}"),
        (Some(name), false) => format!("{scheme}://{name}:{}", http.port()),
        (None, true) => format!("{scheme}://YOUR-PROXY"),
        (None, false) if http.ip().is_unspecified() => {
            format!("{scheme}://localhost:{}", http.port())
        }
        (None, false) => format!("{scheme}://{http}"),
    }
}

/// Makes the first admin's token if there is none, and tells it. It is shown this once.
///
/// # Errors
/// The token cannot be kept.
pub(crate) async fn begin(
    settings: &Settings,
    api: &ApiState,
    page: &str,
) -> Result<Vec<String>, Failure> {
    if settings.trust_loopback {
        return Ok(Vec::new());
    }
    let first = api.begin_access().await.map_err(Failure::running)?;
    Ok(first.map_or_else(Vec::new, |first| {
        vec![
            format!("admin token, shown this once: {}", *first.token.text()),
            format!("open the page within an hour by {page}/#link={}", *first.link.text()),
        ]
    }))
}

/// Reads the certificate of the API again at each SIGHUP.
pub(crate) fn reload_at_hangup(https: Https) {
    #[cfg(unix)]
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        // Without the signal, a restart reads the files again.
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        while hangup.recv().await.is_some() {
            match https.reload() {
                Ok(()) => tracing::info!("the certificate of the HTTP API is read again"),
                Err(error) => tracing::warn!("the HTTP API goes on with its certificate: {error}"),
            }
        }
    });
    #[cfg(not(unix))]
    drop(https);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_do_not_go_through_a_network_in_the_clear() {
        let open: SocketAddr = "0.0.0.0:8080".parse().unwrap();
        let local: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let plain = Settings::default();
        let proxied = Settings { behind_proxy: true, ..Settings::default() };
        let tls = Settings { http_cert: Some("c".into()), ..Settings::default() };
        let trusting = Settings { trust_loopback: true, ..Settings::default() };
        let refused = config(&plain, open).unwrap_err().to_string();
        assert!(refused.contains("--http-cert"), "{refused}");
        assert!(config(&trusting, open).is_err());
        assert!(config(&plain, local).is_ok() && config(&trusting, local).is_ok());
        assert!(config(&proxied, open).unwrap().https && config(&tls, open).unwrap().https);
        assert!(config(&Settings { trust_loopback: true, ..proxied }, local).is_err());
    }
}
