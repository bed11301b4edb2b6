//! Addresses of brokers, and the secrets that open them.

use lwm2m_app::{Failure, keys};
use std::path::Path;
use ureq::http::Uri;
use zeroize::Zeroizing;

/// The address of a broker.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_secure: bool,
}

impl Address {
    /// `schemes` and `ports` are those without security and with it.
    pub(super) fn new(url: &str, schemes: [&str; 2], ports: [u16; 2]) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let is_secure = uri.scheme_str()? == schemes[1];
        let [plain, secure] = ports;
        let host = uri.host().filter(|host| !host.is_empty())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_bare = !uri.authority()?.as_str().contains('@') && matches!(uri.path(), "" | "/");
        let port = uri.port_u16().unwrap_or(if is_secure { secure } else { plain });
        is_bare.then_some(Self { host, port, is_secure })
    }
}

/// A user and a password.
#[derive(Clone)]
pub(super) struct LogIn {
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
}

impl LogIn {
    /// Reads a file with the line `user:password`.
    ///
    /// # Errors
    /// The file cannot be read, or has another content.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::usage(format!("{}: {what}", file.display()));
        keys::warn_if_shared(file);
        let text = std::fs::read_to_string(file).map(Zeroizing::new);
        let text = text.map_err(|error| wrong(&error.to_string()))?;
        let parts = text.trim_end().split_once(':').filter(|(user, _)| !user.is_empty());
        let (user, password) =
            parts.ok_or_else(|| wrong("the secret of a broker is a line user:password"))?;
        Ok(Self { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_no_secret() {
        let read = |url: &str| {
            Address::new(url, ["mqtt", "mqtts"], [1_883, 8_883])
                .map(|it| (it.host, it.port, it.is_secure))
        };
        let host = "a.example".to_owned();
        assert_eq!(read("mqtt://a.example"), Some((host.clone(), 1_883, false)));
        assert_eq!(read("mqtts://a.example:1/"), Some((host, 1, true)));
        assert_eq!(read("mqtts://[::1]"), Some(("::1".to_owned(), 8_883, true)));
        for wrong in ["mqtt://me:pw@a.example", "mqtt://a.example/x", "mqtt://", "a.example"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
