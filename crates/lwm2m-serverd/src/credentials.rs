//! The credentials file: the server's own keys, and the credentials of its clients.
//!
//! ```toml
//! [server]
//! key = "server.key"            # PEM; for raw public keys, and of the certificate
//! certificate = "server.crt"    # PEM, the leaf first
//! trust = ["ca.crt"]            # PEM, the authorities of client certificates
//! unlisted = "no-sec"           # what others may do: no-sec, certified, refused
//!
//! [[server.host]]               # another certificate for clients that ask for its name (SNI)
//! key = "b.key"
//! certificate = "b.crt"
//!
//! [[client]]
//! endpoint = "urn:dev:os:1"
//! mode = "psk"
//! psk_file = "device-1.psk"     # a line of identity:key, as `lwm2m keys psk` makes it; or
//! identity = "device-1"         # the endpoint name without it, and
//! key = "000102030405060708090a0b0c0d0e0f"
//!
//! [[client]]
//! endpoint = "urn:dev:os:2"
//! mode = "rpk"
//! public_key = "device-2.pub"   # PEM or DER
//!
//! [[client]]
//! endpoint = "urn:dev:os:3"
//! mode = "x509"                 # its certificate has the endpoint name as common name
//! ```
//!
//! Paths are relative to the folder of the file.

use lwm2m_app::keys::{self, KeyFileError};
use lwm2m_app::settings::{self, SettingsError};
use lwm2m_credentials::{
    Credential, CredentialError, OwnCredentials, SecurityStore, StoreError, Unlisted,
};
use lwm2m_dtls::CertifiedKey;
use lwm2m_dtls::crypto::Provider;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;
use zeroize::Zeroizing;

/// The reason why the credentials cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file cannot be read or parsed.
    #[error(transparent)]
    File(#[from] SettingsError),
    /// An entry of a client cannot be used.
    #[error("{0}, line {1}: the client `{2}`: {3}")]
    Client(PathBuf, usize, String, #[source] ClientError),
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The X.509 mode lacks a part.
    #[error("the X.509 mode needs a key, a certificate and trust; {0} is missing")]
    Incomplete(&'static str),
}

/// The reason why the entry of a client cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// An entry is missing.
    #[error("its mode needs the entry `{0}`")]
    Missing(&'static str),
    /// The mode does not use this entry.
    #[error("its mode does not use the entry `{0}`; remove it or change the mode")]
    Unused(&'static str),
    /// The key is not hex.
    #[error("`key` must be pairs of hexadecimal digits")]
    Hex,
    /// The file has the endpoint twice.
    #[error("the file has this endpoint twice; remove one")]
    Twice,
    /// A file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The values cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The store refuses it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The content of the file.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Content {
    server: ServerEntry,
    client: Vec<Spanned<ClientEntry>>,
}

/// The server's own key files, from the credentials file or from flags.
#[derive(Deserialize, Debug, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerEntry {
    pub(crate) key: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) trust: Vec<PathBuf>,
    pub(crate) unlisted: Option<UnlistedMode>,
    pub(crate) host: Vec<HostEntry>,
}

/// The key files of a further host name of the server.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostEntry {
    key: PathBuf,
    certificate: PathBuf,
}

/// What endpoints without credentials may do.
#[derive(clap::ValueEnum, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum UnlistedMode {
    /// They may use plain CoAP.
    NoSec,
    /// They need a certificate of a trusted authority with the endpoint name as common name.
    Certified,
    /// They may not register.
    Refused,
}

impl From<UnlistedMode> for Unlisted {
    fn from(mode: UnlistedMode) -> Self {
        match mode {
            UnlistedMode::NoSec => Self::NoSec,
            UnlistedMode::Certified => Self::Certified,
            UnlistedMode::Refused => Self::Refused,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientEntry {
    endpoint: String,
    mode: ClientMode,
    identity: Option<String>,
    key: Option<Zeroizing<String>>,
    psk_file: Option<PathBuf>,
    public_key: Option<PathBuf>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum ClientMode {
    Psk,
    Rpk,
    X509,
}

/// Builds the store from the file and the flags, and returns it with the endpoints of the file.
///
/// # Errors
/// See [`CredentialsError`].
pub(crate) fn load(
    file: Option<&Path>,
    flags: ServerEntry,
    provider: &dyn Provider,
) -> Result<(SecurityStore, BTreeSet<String>), CredentialsError> {
    let Some(file) = file else {
        return Ok((SecurityStore::new(own(flags, provider)?), BTreeSet::new()));
    };
    keys::warn_if_shared(file);
    let text = Zeroizing::new(settings::text(file)?);
    let content: Content = settings::parse(file, &text)?;
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let store = SecurityStore::new(own(flags.or(content.server.below(folder)), provider)?);
    let mut endpoints = BTreeSet::new();
    for client in content.client {
        let start = client.span().start;
        let client = client.into_inner();
        let endpoint = client.endpoint.clone();
        add(&store, client, folder, &mut endpoints).map_err(|error| {
            // Counting lines takes time in proportion to the file, so it is left to errors.
            let line = settings::line_at(&text, start);
            CredentialsError::Client(file.to_owned(), line, endpoint, error)
        })?;
    }
    Ok((store, endpoints))
}

fn add(
    store: &SecurityStore,
    client: ClientEntry,
    folder: &Path,
    known: &mut BTreeSet<String>,
) -> Result<(), ClientError> {
    let endpoint = client.endpoint.clone();
    if known.contains(&endpoint) {
        return Err(ClientError::Twice);
    }
    store.put(&endpoint, client.credential(folder)?)?;
    known.insert(endpoint);
    Ok(())
}

impl ClientEntry {
    fn credential(self, folder: &Path) -> Result<Credential, ClientError> {
        let uses: &[&str] = match (self.mode, &self.psk_file) {
            (ClientMode::Psk, Some(_)) => &["psk_file"],
            (ClientMode::Psk, None) => &["identity", "key"],
            (ClientMode::Rpk, _) => &["public_key"],
            (ClientMode::X509, _) => &[],
        };
        if let Some(name) = self.entries().find(|name| !uses.contains(name)) {
            return Err(ClientError::Unused(name));
        }
        match self.mode {
            ClientMode::Psk => self.pre_shared_key(folder),
            ClientMode::Rpk => {
                let path = self.public_key.ok_or(ClientError::Missing("public_key"))?;
                Ok(Credential::raw_public_key(&keys::public_key(&folder.join(path))?)?)
            }
            ClientMode::X509 => Ok(Credential::X509),
        }
    }

    /// The names of the entries for keys that are present.
    fn entries(&self) -> impl Iterator<Item = &'static str> {
        let Self { identity, key, psk_file, public_key, .. } = self;
        let entries = [
            ("identity", identity.is_some()),
            ("key", key.is_some()),
            ("psk_file", psk_file.is_some()),
            ("public_key", public_key.is_some()),
        ];
        entries.into_iter().filter_map(|(name, is_there)| is_there.then_some(name))
    }

    fn pre_shared_key(self, folder: &Path) -> Result<Credential, ClientError> {
        let (identity, key) = match self.psk_file {
            Some(path) => keys::pre_shared_key(&folder.join(path))?,
            None => {
                let key = self.key.ok_or(ClientError::Missing("key"))?;
                let key = keys::secret_from_hex(&key).ok_or(ClientError::Hex)?;
                (self.identity.unwrap_or(self.endpoint), key)
            }
        };
        Ok(Credential::psk(identity.as_bytes(), &key)?)
    }
}

impl ServerEntry {
    /// These entries, with those of `others` where they have none.
    fn or(self, others: Self) -> Self {
        Self {
            key: self.key.or(others.key),
            certificate: self.certificate.or(others.certificate),
            trust: if self.trust.is_empty() { others.trust } else { self.trust },
            unlisted: self.unlisted.or(others.unlisted),
            host: if self.host.is_empty() { others.host } else { self.host },
        }
    }

    /// These entries with paths relative to `folder`.
    fn below(self, folder: &Path) -> Self {
        Self {
            key: self.key.map(|path| folder.join(path)),
            certificate: self.certificate.map(|path| folder.join(path)),
            trust: self.trust.iter().map(|path| folder.join(path)).collect(),
            unlisted: self.unlisted,
            host: self.host.into_iter().map(|host| host.below(folder)).collect(),
        }
    }
}

impl HostEntry {
    fn below(self, folder: &Path) -> Self {
        Self { key: folder.join(self.key), certificate: folder.join(self.certificate) }
    }

    fn certified(&self, provider: &dyn Provider) -> Result<Arc<CertifiedKey>, KeyFileError> {
        let key = keys::private_key(&self.key, provider)?;
        let chain = keys::chain(&self.certificate, &*key)?;
        Ok(Arc::new(CertifiedKey { chain, key }))
    }
}

fn own(entry: ServerEntry, provider: &dyn Provider) -> Result<OwnCredentials, CredentialsError> {
    let key = entry.key.as_deref().map(|path| keys::private_key(path, provider)).transpose()?;
    let certificate = match (&entry.certificate, &key) {
        (Some(_), None) => return Err(CredentialsError::Incomplete("the key")),
        (Some(_), _) if entry.trust.is_empty() => {
            return Err(CredentialsError::Incomplete("trust"));
        }
        (None, _)
            if !entry.trust.is_empty()
                || !entry.host.is_empty()
                || entry.unlisted == Some(UnlistedMode::Certified) =>
        {
            return Err(CredentialsError::Incomplete("the certificate"));
        }
        (Some(path), Some(key)) => {
            let chain = keys::chain(path, &**key)?;
            Some(Arc::new(CertifiedKey { chain, key: Arc::clone(key) }))
        }
        (None, _) => None,
    };
    let mut authorities = Vec::new();
    for path in &entry.trust {
        authorities.extend(keys::authorities(path)?);
    }
    let unlisted = entry.unlisted.map_or_else(Unlisted::default, Unlisted::from);
    let hosts = entry.host.iter().map(|host| host.certified(provider)).collect::<Result<_, _>>()?;
    let mut own = OwnCredentials::default().authorities(authorities).unlisted(unlisted);
    (own.raw_key, own.certificate, own.hosts) = (key, certificate, hosts);
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_dtls::certificate::subject_public_key_info;
    use lwm2m_dtls::crypto::RustCrypto;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
    use std::fs;

    /// A folder with keys `a` and `b`, each with a certificate and a public key.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("lwm2m-{name}-{}", std::process::id()));
            // One that an earlier run has left, if any.
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            for name in ["a", "b"] {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
                let params = CertificateParams::new(vec![format!("{name}.example")]).unwrap();
                let certificate = params.self_signed(&key).unwrap();
                let write = |extension: &str, content: &[u8]| {
                    fs::write(path.join(format!("{name}.{extension}")), content).unwrap();
                };
                write("key", key.serialize_pem().as_bytes());
                write("pub", key.public_key_pem().as_bytes());
                write("spki", &key.subject_public_key_info());
                write("crt", certificate.pem().as_bytes());
            }
            Self(path)
        }

        fn load(&self, text: &str) -> Result<(SecurityStore, BTreeSet<String>), String> {
            let file = self.0.join("credentials.toml");
            fs::write(&file, text).unwrap();
            let loaded = load(Some(&file), ServerEntry::default(), &RustCrypto);
            loaded.map_err(|error| error.to_string())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A leftover in the folder for temporary files does no harm.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_of_all_modes() {
        let folder = Folder::new("credentials-all");
        let (store, endpoints) = folder
            .load(
                "[server]\nkey = 'a.key'\ncertificate = 'a.crt'\ntrust = ['b.crt']\n\
                 unlisted = 'refused'\n\
                 [[client]]\nendpoint = 'one'\nmode = 'psk'\nkey = '00fF'\n\
                 [[client]]\nendpoint = 'two'\nmode = 'rpk'\npublic_key = 'a.pub'\n\
                 [[client]]\nendpoint = 'three'\nmode = 'rpk'\npublic_key = 'b.spki'\n\
                 [[client]]\nendpoint = 'four'\nmode = 'x509'\n",
            )
            .unwrap();
        assert_eq!(store.get("one"), Some(Credential::psk(b"one", &[0, 255]).unwrap()));
        let spki = |name: &str| fs::read(folder.0.join(name)).unwrap();
        let rpk = |name| Some(Credential::raw_public_key(&spki(name)).unwrap());
        assert_eq!((store.get("two"), store.get("three")), (rpk("a.spki"), rpk("b.spki")));
        assert_eq!((store.get("four"), endpoints.len()), (Some(Credential::X509), 4));
        let own = store.own();
        assert!(own.raw_key.is_some() && own.certificate.is_some());
        assert_eq!((own.authorities.len(), own.unlisted), (1, Unlisted::Refused));
    }

    #[test]
    fn a_pre_shared_key_may_be_in_a_file() {
        let folder = Folder::new("credentials-psk-file");
        fs::write(folder.0.join("one.psk"), "urn:one:00fF\n").unwrap();
        let text = "[[client]]\nendpoint = 'one'\nmode = 'psk'\npsk_file = 'one.psk'\n";
        let (store, _) = folder.load(text).unwrap();
        assert_eq!(store.get("one"), Some(Credential::psk(b"urn:one", &[0, 255]).unwrap()));
    }

    #[test]
    fn the_host_that_a_client_asks_for_chooses_the_certificate() {
        let folder = Folder::new("credentials-hosts");
        let (store, _) = folder
            .load(
                "[server]\nkey = 'a.key'\ncertificate = 'a.crt'\ntrust = ['a.crt']\n\
                 [[server.host]]\nkey = 'b.key'\ncertificate = 'b.crt'\n",
            )
            .unwrap();
        let spki = |name: &str| fs::read(folder.0.join(name)).unwrap();
        for (asked, expected) in [
            (None, "a.spki"),
            (Some("a.example"), "a.spki"),
            (Some("b.example"), "b.spki"),
            (Some("c.example"), "a.spki"),
        ] {
            let shown = lwm2m_dtls::Credentials::certificate(&store, asked).unwrap();
            let own = subject_public_key_info(&shown.key.public_key());
            assert_eq!(own, spki(expected), "{asked:?}");
        }
    }

    #[test]
    fn mistakes_are_named_with_place_and_remedy() {
        let folder = Folder::new("credentials-wrong");
        let client = |entries: &str| format!("\n\n[[client]]\nendpoint = 'e'\n{entries}");
        let one = client("mode = 'psk'\nkey = '00'\n");
        let table = [
            (client("mode = 'tls'\n"), "line 5", "expected one of"),
            (client("mode = 'psk'\n"), "line 3", "needs the entry `key`"),
            (client("mode = 'psk'\nkey = '0'\n"), "line 3", "hexadecimal"),
            (client("mode = 'psk'\nkey = ''\n"), "line 3", "1 to 64 bytes"),
            (client("mode = 'x509'\nkey = '00'\n"), "line 3", "does not use the entry `key`"),
            (
                client("mode = 'psk'\npsk_file = 'x'\nkey = '00'\n"),
                "line 3",
                "does not use the entry `key`",
            ),
            (client("mode = 'psk'\npsk_file = 'a.pub'\n"), "line 3", "identity:key"),
            (
                client("mode = 'rpk'\npsk_file = 'x'\n"),
                "line 3",
                "does not use the entry `psk_file`",
            ),
            (client("mode = 'rpk'\npublic_key = 'none'\n"), "line 3", "cannot read"),
            (client("mode = 'rpk'\npublic_key = 'a.key'\n"), "line 3", "no public key"),
            (client("mode = 'psk'\ncolour = 'red'\n"), "line 6", "unknown field"),
            (format!("{one}{one}"), "line 9", "twice"),
            ("[server]\ncertificate = 'a.crt'\n".into(), "", "the key is missing"),
            ("[server]\nkey = 'a.pub'\n".into(), "a.pub", "no private key"),
            ("[server]\nunlisted = 'certified'\n".into(), "", "the certificate is missing"),
            (
                "[[server.host]]\nkey = 'a.key'\ncertificate = 'a.crt'\n".into(),
                "",
                "the certificate is missing",
            ),
            (
                "[server]\nkey = 'a.key'\ncertificate = 'b.crt'\ntrust = ['a.crt']\n".into(),
                "b.crt",
                "belongs to another private key",
            ),
        ];
        for (text, place, remedy) in table {
            let error = folder.load(&text).map(drop).unwrap_err();
            assert!(error.contains(place) && error.contains(remedy), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = Folder::new("credentials-flags");
        let file = folder.0.join("credentials.toml");
        fs::write(&file, "[server]\nkey = 'none.key'\n").unwrap();
        let flags = ServerEntry { key: Some(folder.0.join("a.key")), ..ServerEntry::default() };
        let (store, _) = load(Some(&file), flags, &RustCrypto).unwrap();
        assert!(store.own().raw_key.is_some());
    }
}
