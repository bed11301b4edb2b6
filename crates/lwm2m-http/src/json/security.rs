//! Credentials in the dialect's JSON: those of clients, and the server's own public parts.
//!
//! A client is `{"endpoint": …, "tls": {"mode": "psk", "details": {"identity": …, "key": hex}}}`,
//! with the mode `rpk` `{"details": {"key": hex of the SubjectPublicKeyInfo}}`, and with `x509` no
//! details. An identity that is not UTF-8 is hex in `identityHex`, which the dialect lacks.

use super::value::{hex, unhex};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lwm2m_credentials::{Credential, CredentialError, OwnCredentials};
use lwm2m_dtls::certificate::subject_public_key_info;
use lwm2m_dtls::crypto::Point;
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

/// Why JSON is not the credential of a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityJsonError {
    /// A member is missing or of another kind.
    #[error("`{name}` must be {expected}")]
    Member {
        /// The path of the member.
        name: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// The credentials are written as the first version of the dialect did.
    #[error(
        "`{0}` is the old notation; write \"tls\": {{\"mode\": \"{0}\", \"details\": {{…}}}}, with the \
         key in hex"
    )]
    Old(&'static str),
    /// OSCORE is not supported.
    #[error("credentials of OSCORE are not supported; give `tls`")]
    Oscore,
    /// The values cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

/// The JSON of a client's credential, with its key.
#[must_use]
pub fn write_client(endpoint: &str, credential: &Credential) -> Json {
    let tls = match credential {
        Credential::Psk { identity, key } => {
            let (name, identity) = match std::str::from_utf8(identity) {
                Ok(text) => ("identity", text.to_owned()),
                Err(_) => ("identityHex", hex(identity)),
            };
            json!({"mode": "psk", "details": {name: identity, "key": hex(key)}})
        }
        Credential::RawPublicKey(spki) => json!({"mode": "rpk", "details": {"key": hex(spki)}}),
        _ => json!({"mode": "x509"}),
    };
    json!({"endpoint": endpoint, "tls": tls})
}

/// Reads the credential of a client, and its endpoint name.
///
/// # Errors
/// See [`SecurityJsonError`].
pub fn read_client(json: &Json) -> Result<(String, Credential), SecurityJsonError> {
    let endpoint = text(&json["endpoint"], "endpoint", "the endpoint name")?;
    if json.get("tls").is_none() && json.get("oscore").is_some() {
        return Err(SecurityJsonError::Oscore);
    }
    if json.get("tls").is_none()
        && let Some(mode) = ["psk", "rpk", "x509"].into_iter().find(|mode| json.get(mode).is_some())
    {
        return Err(SecurityJsonError::Old(mode));
    }
    let details = &json["tls"]["details"];
    let mode = text(&json["tls"]["mode"], "tls.mode", MODES)?;
    let credential = match mode {
        "psk" => Credential::psk(&identity(details)?, &bytes(&details["key"], "tls.details.key")?)?,
        "rpk" => Credential::raw_public_key(&bytes(&details["key"], "tls.details.key")?)?,
        "x509" => Credential::X509,
        _ => return Err(SecurityJsonError::Member { name: "tls.mode", expected: MODES }),
    };
    Ok((endpoint.to_owned(), credential))
}

const MODES: &str = "psk, rpk or x509";

fn identity(details: &Json) -> Result<Zeroizing<Vec<u8>>, SecurityJsonError> {
    if details.get("identityHex").is_some() {
        return bytes(&details["identityHex"], "tls.details.identityHex");
    }
    let identity = text(&details["identity"], "tls.details.identity", "the PSK identity")?;
    Ok(Zeroizing::new(identity.as_bytes().to_vec()))
}

fn text<'j>(
    json: &'j Json,
    name: &'static str,
    expected: &'static str,
) -> Result<&'j str, SecurityJsonError> {
    json.as_str().ok_or(SecurityJsonError::Member { name, expected })
}

fn bytes(json: &Json, name: &'static str) -> Result<Zeroizing<Vec<u8>>, SecurityJsonError> {
    let expected = "text of hexadecimal digit pairs";
    let bytes = json.as_str().and_then(unhex).map(Zeroizing::new);
    bytes.ok_or(SecurityJsonError::Member { name, expected })
}

/// The server's public key and certificate, as far as it has them. The dialect has one of them.
#[must_use]
pub fn write_own(own: &OwnCredentials) -> Json {
    let mut json = json!({});
    if let Some(key) = &own.raw_key {
        json["pubkey"] = public_key(&key.public_key());
    }
    if let Some(certified) = &own.certificate
        && let Some(leaf) = certified.chain.first()
    {
        json["certificate"] = json!({
            "pubkey": public_key(&certified.key.public_key()),
            "b64Der": BASE64_STANDARD.encode(leaf),
        });
    }
    json
}

fn public_key(point: &Point) -> Json {
    let [_, coordinates @ ..] = point;
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    json!({
        "x": hex(x),
        "y": hex(y),
        "params": "secp256r1",
        "b64Der": BASE64_STANDARD.encode(subject_public_key_info(point)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_dtls::CertifiedKey;
    use lwm2m_dtls::crypto::{CryptoError, SigningKey};
    use rustls_pki_types::CertificateDer;
    use std::sync::Arc;

    #[test]
    fn credentials_come_back_as_they_went() {
        let spki = subject_public_key_info(&[4; 65]);
        let all = [
            (
                Credential::psk("käfer".as_bytes(), &[0x01, 0xff]).unwrap(),
                json!({"mode": "psk", "details": {"identity": "käfer", "key": "01ff"}}),
            ),
            (
                Credential::psk(&[0xff, 0], &[1]).unwrap(),
                json!({"mode": "psk", "details": {"identityHex": "ff00", "key": "01"}}),
            ),
            (
                Credential::raw_public_key(&spki).unwrap(),
                json!({"mode": "rpk", "details": {"key": hex(&spki)}}),
            ),
            (Credential::X509, json!({"mode": "x509"})),
        ];
        for (credential, tls) in all {
            let json = write_client("a", &credential);
            assert_eq!(json, json!({"endpoint": "a", "tls": tls}));
            assert_eq!(read_client(&json), Ok(("a".to_owned(), credential)));
        }
    }

    /// A key that signs nothing.
    #[derive(Debug)]
    struct Mute;

    impl SigningKey for Mute {
        fn public_key(&self) -> Point {
            core::array::from_fn(|index| if index <= 32 { 4 } else { 5 })
        }

        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
            Err(CryptoError)
        }
    }

    #[test]
    fn the_server_shows_its_public_parts() {
        let key: Arc<dyn SigningKey> = Arc::new(Mute);
        let chain = vec![CertificateDer::from(vec![0xff; 3])];
        let own = OwnCredentials::default()
            .certificate(Arc::new(CertifiedKey { chain, key: Arc::clone(&key) }))
            .raw_key(key);
        let json = write_own(&own);
        let spki = BASE64_STANDARD.encode(subject_public_key_info(&Mute.public_key()));
        let public = json!({
            "x": "04".repeat(32), "y": "05".repeat(32), "params": "secp256r1", "b64Der": spki,
        });
        let certificate = json!({"pubkey": public, "b64Der": "////"});
        assert_eq!(json, json!({"pubkey": public, "certificate": certificate}));
    }

    #[test]
    fn what_is_missing_is_named() {
        let details =
            |details: Json| json!({"endpoint": "a", "tls": {"mode": "psk", "details": details}});
        let bad = [
            (json!([]), "endpoint"),
            (json!({"endpoint": "a"}), "tls.mode"),
            (json!({"endpoint": "a", "tls": {"mode": "tls"}}), "psk, rpk or x509"),
            (json!({"endpoint": "a", "oscore": {}}), "OSCORE"),
            (json!({"endpoint": "a", "psk": {"identity": "i", "key": "00"}}), "\"mode\": \"psk\""),
            (details(json!({"key": "00"})), "tls.details.identity"),
            (details(json!({"identity": "i", "key": "0"})), "hexadecimal"),
            (details(json!({"identity": "i", "key": ""})), "1 to 64 bytes"),
        ];
        for (json, named) in bad {
            let error = read_client(&json).unwrap_err().to_string();
            assert!(error.contains(named), "{json}: {error}");
        }
    }
}
