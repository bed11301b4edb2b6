//! Flags and settings for the keys of a DTLS or TLS session.

use crate::exit::Failure;
use crate::{dtls, keys};
use clap::Args;
use lwm2m_dtls::certificate::{Association, CertificateUsage, Matching, ServerVerification};
use lwm2m_dtls::crypto::{AwsLc, SigningKey};
use lwm2m_dtls::{
    Backend, CertifiedKey, CidRoute, ClientProfile, ClientSecurity, Config, Credentials,
    RoutingCids,
};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The keys of a DTLS or TLS session: a pre-shared key, raw public keys or certificates.
#[derive(Args, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Security (for coaps and coaps+tcp)")]
pub struct Secured {
    /// Identity of the pre-shared key
    #[arg(long, value_name = "TEXT", requires = "psk_key")]
    pub psk_identity: Option<String>,
    /// The pre-shared key in hex, 1 to 64 bytes
    #[arg(long, value_name = "HEX", requires = "psk_identity")]
    pub psk_key: Option<HexKey>,
    /// File of a pre-shared key with its identity, as `lwm2m keys psk` makes it
    #[arg(long, value_name = "FILE", conflicts_with = "psk_identity")]
    pub psk_file: Option<PathBuf>,
    /// Own private key in PEM, for raw public keys
    #[arg(long, value_name = "FILE", requires = "peer_rpk")]
    pub rpk: Option<PathBuf>,
    /// The peer's raw public key in PEM or DER; a server may have several
    #[arg(long, value_name = "FILE", requires = "rpk")]
    pub peer_rpk: Vec<PathBuf>,
    /// Own certificate in PEM, followed by intermediate ones
    #[arg(long, value_name = "FILE", requires_all = ["key", "trust"])]
    pub cert: Option<PathBuf>,
    /// Private key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Certificate in PEM of the authority that issued the peer's certificate; a server may have
    /// several
    #[arg(long, value_name = "FILE", requires = "cert")]
    #[serde(deserialize_with = "one_or_several")]
    pub trust: Vec<PathBuf>,
    /// Length in bytes of the Connection IDs that the peer puts into its records; 0: none
    /// [default: 6 for a server, or 0 with mbedtls; 0 for a client]
    #[arg(long, value_name = "LENGTH")]
    pub cid: Option<u8>,
    /// Client on coaps+tcp: use TLS 1.3 alone, with --rpk or --cert
    #[arg(long)]
    pub tls13: bool,
    /// File to which the secrets of sessions are appended, to decrypt captures
    #[arg(long, value_name = "FILE")]
    pub keylog: Option<PathBuf>,
    /// Implementation of DTLS and TLS: native, or mbedtls if it is built in [default: native]
    #[arg(long, value_name = "NAME")]
    #[serde(deserialize_with = "dtls::backend")]
    pub backend: Option<Backend>,
}

/// A key in hex. Dropping wipes it; `Debug` does not show it.
#[derive(Deserialize, Clone, PartialEq, Eq)]
#[serde(from = "String")]
pub struct HexKey(Zeroizing<String>);

impl From<String> for HexKey {
    fn from(hex: String) -> Self {
        Self(Zeroizing::new(hex))
    }
}

impl fmt::Debug for HexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HexKey(..)")
    }
}

/// An identity and its key.
type Psk = (String, Zeroizing<Vec<u8>>);
/// Our chain and key, and the authorities of the peer.
type Certified = (Arc<CertifiedKey>, Vec<CertificateDer<'static>>);

/// The keys of a client in one mode; keys and certificates are DER.
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientKeys {
    /// A pre-shared key.
    Psk {
        /// Its identity.
        identity: String,
        /// The key.
        key: Zeroizing<Vec<u8>>,
    },
    /// Raw public keys.
    RawPublicKey {
        /// Our private key.
        key: Zeroizing<Vec<u8>>,
        /// The server's SubjectPublicKeyInfo.
        server: Vec<u8>,
    },
    /// Certificates.
    Certificate {
        /// Our certificate, followed by intermediate ones.
        chain: Vec<CertificateDer<'static>>,
        /// Our private key.
        key: Zeroizing<Vec<u8>>,
        /// The authority of the server.
        authority: CertificateDer<'static>,
    },
}

/// The credentials of a server in one or more modes.
#[derive(Default)]
struct Known {
    psk: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    raw_key: Option<Arc<dyn SigningKey>>,
    raw_peers: Vec<Vec<u8>>,
    certified: Option<Arc<CertifiedKey>>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Credentials for Known {
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.psk.as_ref().filter(|(known, _)| known == identity).map(|(_, key)| key.clone())
    }
    fn uses_psk(&self) -> bool {
        self.psk.is_some()
    }
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        self.raw_key.clone()
    }
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        self.raw_peers.iter().any(|known| known == spki)
    }
    fn certificate(&self, _: Option<&str>) -> Option<Arc<CertifiedKey>> {
        self.certified.clone()
    }
    fn client_authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }
}

impl Secured {
    /// The settings of a client's sessions, and how it proves who it is to the server that a URI
    /// calls `server_name`.
    ///
    /// # Errors
    /// No mode or more than one, a file or key that cannot be used, or the backend lacks something.
    pub fn client(&self, server_name: &str) -> Result<(Config, ClientProfile), Failure> {
        let mut profile = ClientProfile::new(self.mode()?);
        profile.server_name = Some(server_name.to_owned());
        profile.connection_id = self.cid != Some(0);
        profile.tls13 = self.tls13;
        let config = self.config()?;
        config.check_profile(&profile).map_err(Failure::usage)?;
        Ok((config, profile))
    }

    /// The keys of a client as they are in the files, for who gives them on.
    ///
    /// # Errors
    /// No mode or more than one, a file or key that cannot be used, or the backend lacks something.
    pub fn client_keys(&self) -> Result<ClientKeys, Failure> {
        let psk = self.psk()?.map(|(identity, key)| ClientKeys::Psk { identity, key });
        let raw = match self.raw_files()? {
            None => None,
            Some((key, server)) => Some(ClientKeys::RawPublicKey {
                key: keys::private_key_der(key).map_err(Failure::usage)?,
                server: keys::public_key(server).map_err(Failure::usage)?,
            }),
        };
        let certified = match (self.certified()?, &self.key) {
            (Some((certified, trust)), Some(key)) => Some(ClientKeys::Certificate {
                chain: certified.chain.clone(),
                key: keys::private_key_der(key).map_err(Failure::usage)?,
                authority: authority(trust)?,
            }),
            _ => None,
        };
        let keys = one([psk, raw, certified])?;
        self.check(&keys)?;
        Ok(keys)
    }

    /// Whether the backend can do the mode of these keys.
    fn check(&self, keys: &ClientKeys) -> Result<(), Failure> {
        let backend = self.backend.unwrap_or_default();
        match keys {
            ClientKeys::Psk { key, .. } => backend.check_psk(key),
            ClientKeys::RawPublicKey { .. } => backend.check_raw_public_keys(),
            ClientKeys::Certificate { .. } => Ok(()),
        }
        .map_err(Failure::usage)
    }

    /// These settings, with entries of `others` where they have none. All keys come from one of the
    /// two, so that modes do not mix.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        let cid = self.cid.or(others.cid);
        let tls13 = self.tls13 || others.tls13;
        let backend = self.backend.or(others.backend);
        let (has_keys, keylog) = (self.has_keys(), self.keylog.clone());
        let keylog = keylog.or_else(|| others.keylog.clone());
        let keys = if has_keys { self } else { others };
        Self { cid, tls13, backend, keylog, ..keys }
    }

    /// Whether there are keys of any mode.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        let Self { psk_identity, psk_key, psk_file, rpk, cert, key, .. } = self;
        psk_identity.is_some()
            || psk_key.is_some()
            || [psk_file, rpk, cert, key].iter().any(|it| it.is_some())
    }

    /// Refuses keys for a server that is reached in the clear: its user expects encryption.
    ///
    /// # Errors
    /// There are keys of some mode.
    pub fn check_unused(&self) -> Result<(), Failure> {
        match self.has_keys() {
            true => Err(Failure::usage(
                "keys need a server at coaps:// or coaps+tcp://; change the scheme or drop the keys",
            )),
            false => Ok(()),
        }
    }

    /// Builds the settings of sessions: Connection IDs, the key log, the time.
    ///
    /// # Errors
    /// The key log cannot be written, or the backend lacks a feature that is asked for.
    pub fn config(&self) -> Result<Config, Failure> {
        self.config_with(self.cid.unwrap_or(0))
    }

    fn config_with(&self, cid_length: u8) -> Result<Config, Failure> {
        let ids = RoutingCids::new(CidRoute::default(), cid_length);
        let backend = self.backend.unwrap_or_default();
        dtls::config(backend, Arc::new(AwsLc), ids, self.keylog.as_deref())
    }

    /// Builds the settings of a server's sessions, in every mode that has keys.
    ///
    /// # Errors
    /// There are no keys, a file or key cannot be used, or the backend lacks the mode.
    pub fn server(&self) -> Result<Config, Failure> {
        if self.tls13 {
            return Err(Failure::usage("--tls13 is for clients; a server speaks 1.2 and 1.3"));
        }
        let mut known = Known::default();
        if let Some((identity, key)) = self.psk()? {
            known.psk = Some((identity.into_bytes(), key));
        }
        if let Some(path) = &self.rpk {
            known.raw_key = Some(keys::private_key(path, &AwsLc).map_err(Failure::usage)?);
            let peers = self.peer_rpk.iter().map(|path| keys::public_key(path));
            known.raw_peers = peers.collect::<Result<_, _>>().map_err(Failure::usage)?;
        }
        if let Some((certified, trust)) = self.certified()? {
            known.certified = Some(certified);
            known.authorities = trust;
        }
        if known.psk.is_none() && known.raw_key.is_none() && known.certified.is_none() {
            return Err(no_mode());
        }
        let backend = self.backend.unwrap_or_default();
        let mut config = self.config_with(self.cid.unwrap_or_else(|| dtls::server_cid(backend)))?;
        if known.raw_key.is_some() {
            config.backend.check_raw_public_keys().map_err(Failure::usage)?;
        }
        if let Some((_, key)) = &known.psk {
            config.backend.check_psk(key).map_err(Failure::usage)?;
        }
        config.credentials = Some(Arc::new(known));
        config.check().map_err(Failure::usage)?;
        Ok(config)
    }

    fn mode(&self) -> Result<ClientSecurity, Failure> {
        let psk = self.psk()?;
        let psk = psk.map(|(identity, key)| ClientSecurity::Psk { identity: identity.into(), key });
        let raw = match self.raw_files()? {
            None => None,
            Some((key, server)) => Some(ClientSecurity::RawPublicKey {
                key: keys::private_key(key, &AwsLc).map_err(Failure::usage)?,
                server: keys::public_key(server).map_err(Failure::usage)?.into(),
            }),
        };
        let certified = match self.certified()? {
            None => None,
            Some((certified, trust)) => {
                let data = authority(trust)?.to_vec();
                let verification = ServerVerification {
                    usage: CertificateUsage::TrustAnchorAssertion,
                    association: Association { matching: Matching::Exact, data },
                    roots: Vec::new(),
                };
                let verification = Arc::new(verification);
                Some(ClientSecurity::Certificate { certified, verification })
            }
        };
        one([psk, raw, certified])
    }

    /// The key files of a client with raw public keys.
    fn raw_files(&self) -> Result<Option<(&Path, &Path)>, Failure> {
        match (&self.rpk, self.peer_rpk.as_slice()) {
            (None, _) => Ok(None),
            (Some(key), [server]) => Ok(Some((key, server))),
            _ => Err(Failure::usage(
                "a client needs exactly one --peer-rpk, the public key of its server",
            )),
        }
    }

    fn psk(&self) -> Result<Option<Psk>, Failure> {
        let (identity, key) = match (&self.psk_identity, &self.psk_key, &self.psk_file) {
            (None, None, Some(file)) => {
                return keys::pre_shared_key(file).map(Some).map_err(Failure::usage);
            }
            (_, _, Some(_)) => {
                return Err(Failure::usage(
                    "--psk-file already has identity and key; drop --psk-identity and --psk-key",
                ));
            }
            (Some(identity), Some(key), None) => (identity, key),
            _ => return Ok(None),
        };
        let key = keys::from_hex(&key.0).ok_or_else(|| {
            Failure::usage("--psk-key is 1 to 64 bytes in hex; `lwm2m keys psk` makes one")
        })?;
        Ok(Some((identity.clone(), key)))
    }

    fn certified(&self) -> Result<Option<Certified>, Failure> {
        let (Some(cert), Some(key), [_, ..]) = (&self.cert, &self.key, &*self.trust) else {
            return Ok(None);
        };
        let key = keys::private_key(key, &AwsLc).map_err(Failure::usage)?;
        let chain = keys::chain(cert, &*key).map_err(Failure::usage)?;
        let mut trust = Vec::new();
        for file in &self.trust {
            trust.extend(keys::authorities(file).map_err(Failure::usage)?);
        }
        Ok(Some((Arc::new(CertifiedKey { chain, key }), trust)))
    }
}

/// Reads one file name, or a list of them.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Files {
        One(PathBuf),
        Several(Vec<PathBuf>),
    }
    Ok(match Files::deserialize(deserializer)? {
        Files::One(file) => vec![file],
        Files::Several(files) => files,
    })
}

fn one<T>(modes: [Option<T>; 3]) -> Result<T, Failure> {
    let mut modes = modes.into_iter().flatten();
    match (modes.next(), modes.next()) {
        (Some(mode), None) => Ok(mode),
        (None, _) => Err(no_mode()),
        _ => Err(Failure::usage("a client uses keys of one mode; drop the keys of the others")),
    }
}

/// The authority of a server, of which /0/x/4 can hold one.
fn authority(trust: Vec<CertificateDer<'static>>) -> Result<CertificateDer<'static>, Failure> {
    let [authority] = <[_; 1]>::try_from(trust).map_err(|all| {
        let count = all.len();
        Failure::usage(format!(
            "a client trusts one authority of its server; --trust has {count} certificates"
        ))
    })?;
    Ok(authority)
}

fn no_mode() -> Failure {
    Failure::usage(
        "coaps needs keys: --psk-file, --psk-identity and --psk-key, --rpk and --peer-rpk, or \
         --cert, --key and --trust; `lwm2m keys` makes them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_key() {
        let file = "psk_identity = 'device'\npsk_key = '00aa11bb'";
        let secured: Secured = toml::from_str(file).unwrap();
        let text = format!("{secured:?}");
        assert!(text.contains("device") && !text.contains("00aa11bb"), "{text}");
    }

    #[test]
    fn a_client_trusts_one_authority() {
        let certificate = || CertificateDer::from(vec![1]);
        assert!(authority(vec![certificate()]).is_ok());
        let several = authority(vec![certificate(), certificate()]);
        assert!(several.is_err_and(|it| it.to_string().contains("has 2 certificates")));
    }

    /// As the daemon: `lwm2m coap serve` has no settings of its own.
    #[test]
    fn a_server_gives_connection_ids_of_six_bytes() {
        let psk = Secured {
            psk_identity: Some("device".to_owned()),
            psk_key: Some("00ff".to_owned().into()),
            ..Secured::default()
        };
        let length = |cid| {
            let config = Secured { cid, ..psk.clone() }.server().unwrap();
            config.connection_ids.map(|ids| ids.length())
        };
        assert_eq!((length(None), length(Some(4)), length(Some(0))), (Some(6), Some(4), None));
    }

    #[test]
    fn a_server_trusts_several_authorities() {
        let folder = std::env::temp_dir().join(format!("lwm2m-trust-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["a", "b"] {
            let made = rcgen::generate_simple_self_signed([format!("{name}.example")]).unwrap();
            std::fs::write(folder.join(format!("{name}.crt")), made.cert.pem()).unwrap();
            let key = made.signing_key.serialize_pem();
            std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
        }
        let file = |name: &str| folder.join(name);
        let secured = Secured {
            cert: Some(file("a.crt")),
            key: Some(file("a.key")),
            trust: vec![file("a.crt"), file("b.crt")],
            ..Secured::default()
        };
        let credentials = secured.server().unwrap().credentials.unwrap();
        assert_eq!(credentials.client_authorities().len(), 2);
        // A leftover in the folder for temporary files does no harm.
        let _ = std::fs::remove_dir_all(&folder);
    }

    #[cfg(feature = "mbedtls")]
    #[test]
    fn what_the_backend_lacks_is_refused_at_the_start() {
        let good = Secured {
            psk_identity: Some("device".to_owned()),
            psk_key: Some("00ff".to_owned().into()),
            backend: Some(Backend::MbedTls),
            ..Secured::default()
        };
        let log = std::env::temp_dir().join("lwm2m-app-no-such-key-log");
        let long = Some("00".repeat(33).into());
        for (secured, expected) in [
            (Secured { cid: Some(4), ..good.clone() }, "Connection IDs"),
            (Secured { keylog: Some(log.clone()), ..good.clone() }, "key log"),
            (Secured { psk_key: long, ..good.clone() }, "32 bytes"),
        ] {
            let refused = [secured.server().err(), secured.client("server.example").err()];
            for refused in refused {
                assert!(refused.is_some_and(|it| it.to_string().contains(expected)), "{expected}");
            }
        }
        assert!(!log.exists());
        assert!(good.server().is_ok() && good.client_keys().is_ok());
    }

    #[test]
    fn a_client_has_one_mode() {
        let psk = Secured {
            psk_identity: Some("device".to_owned()),
            psk_key: Some("00ff".to_owned().into()),
            ..Secured::default()
        };
        let (_, profile) = psk.client("server.example").unwrap();
        assert!(
            matches!(&profile.security, ClientSecurity::Psk { key, .. } if ***key == [0, 0xff])
        );
        assert_eq!(profile.server_name.as_deref(), Some("server.example"));
        assert!(
            Secured::default().client("h").is_err_and(|it| it.to_string().contains("needs keys"))
        );
        for key in ["", "0", "0g", &"00".repeat(65)] {
            let wrong = Secured { psk_key: Some(key.to_owned().into()), ..psk.clone() };
            assert!(wrong.client("h").is_err(), "{key}");
        }
    }
}
