//! The keys of the demo, made anew for each run.

use crate::keys::make_quietly;
use lwm2m_app::Failure;
use lwm2m_app::secured::Secured;
use serde_json::{Value, json};
use std::fmt::{self, Write};
use std::fs;
use std::path::{Path, PathBuf};

/// The security mode of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    NoSec,
    Psk,
    RawPublicKey,
    Certificate,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSec => "NoSec",
            Self::Psk => "PSK",
            Self::RawPublicKey => "RPK",
            Self::Certificate => "X.509",
        })
    }
}

/// A folder with the keys of the server and its devices. Dropping removes it.
#[derive(Debug)]
pub(super) struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// Makes an authority and a server's key with its certificate.
    pub(super) fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("lwm2m-demo-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(Failure::running)?;
        let keys = Self { folder };
        let (authority, server) = (keys.name("ca"), keys.name("server"));
        make_quietly(&["ca", "--force", &authority])?;
        let names = ["--server", "127.0.0.1", "--server", "localhost"];
        let own = ["cert", "--force", &server, "--ca", &authority];
        make_quietly(&[&own[..], &names].concat())?;
        Ok(keys)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn name(&self, name: &str) -> String {
        self.file(name).to_string_lossy().into_owned()
    }

    /// Makes the keys of a device: its flags, and the credentials for its server as JSON of the HTTP
    /// API.
    pub(super) fn device(
        &self,
        endpoint: &str,
        mode: Mode,
    ) -> Result<(Secured, Option<Value>), Failure> {
        let prefix = self.name(endpoint);
        let file = |extension: &str| PathBuf::from(format!("{prefix}.{extension}"));
        let mut secured = Secured::default();
        let tls = match mode {
            Mode::NoSec => return Ok((secured, None)),
            Mode::Psk => {
                make_quietly(&["psk", "--force", &prefix, "--identity", endpoint])?;
                let line = fs::read_to_string(file("psk")).map_err(Failure::running)?;
                let key = line.trim_end().rsplit(':').next().unwrap_or_default().to_owned();
                secured.psk_identity = Some(endpoint.to_owned());
                secured.psk_key = Some(key.clone().into());
                json!({"mode": "psk", "details": {"identity": endpoint, "key": key}})
            }
            Mode::RawPublicKey => {
                make_quietly(&["rpk", "--force", &prefix])?;
                secured.rpk = Some(file("key"));
                secured.peer_rpk = vec![self.file("server.pub")];
                json!({"mode": "rpk", "details": {"key": hex(&file("spki"))?}})
            }
            Mode::Certificate => {
                let authority = self.name("ca");
                let words = ["cert", "--force", &prefix, "--ca", &authority, "--client", endpoint];
                make_quietly(&words)?;
                (secured.cert, secured.key) = (Some(file("crt")), Some(file("key")));
                secured.trust = vec![self.file("ca.crt")];
                json!({"mode": "x509"})
            }
        };
        Ok((secured, Some(json!({"endpoint": endpoint, "tls": tls}))))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The folder may stay if it cannot be removed.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn hex(file: &Path) -> Result<String, Failure> {
    let bytes = fs::read(file).map_err(Failure::running)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
