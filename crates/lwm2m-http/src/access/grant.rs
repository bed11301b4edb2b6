//! Secrets, and what they allow.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// What a token begins with, so that people and scanners of leaked secrets know it.
const BEGINNING: &str = "lwm2m_";

/// The SHA-256 of a secret. It needs no salt and no slow hash: nobody can try 2^256 secrets.
pub(crate) type Hash = [u8; 32];

/// How much somebody may do. Each may do what those before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look: lists, reads from devices, events.
    Viewer,
    /// Change devices: write, execute, create, delete, observe, commands.
    Operator,
    /// Change who may do what: credentials of devices, tokens, users; see the audit log.
    Admin,
}

impl Scope {
    /// The word for it in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// What a grant is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantKind {
    /// A program's, in the header `Authorization: Bearer`.
    Token,
    /// A browser's, in a cookie.
    Session,
    /// Exchanged for a session, once.
    Link,
}

/// What a session was begun by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parent {
    /// A user, by name.
    User(String),
    /// A token, by the number that names it in the API.
    Token(String),
}

/// The right to use the API. Times are in seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// Whose it is: the name of a token, or that of the user.
    pub name: String,
    /// What it is used for.
    pub kind: GrantKind,
    /// How much it allows.
    pub scope: Scope,
    /// The beginning of the endpoint names that it is confined to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The user or token that a session was begun by, and ends with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// When it was made.
    pub created_at: u64,
    /// When it ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

impl Grant {
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // A struct of texts and numbers is always JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn is_valid(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// What its owner shows; the server keeps a hash of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// A new secret.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut bytes[..])?;
        Ok(Self(bytes))
    }

    /// Reads what [`Self::text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        let text = text.strip_prefix(BEGINNING)?;
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes[..]).ok()?;
        (length == 32).then_some(Self(bytes))
    }

    /// The secret as text without blanks: `lwm2m_` and 43 characters.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&self.0[..]));
        Zeroizing::new(format!("{BEGINNING}{}", *encoded))
    }

    pub(crate) fn hash(&self) -> Hash {
        Sha256::digest(&self.0[..]).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_its_text_and_other_texts_are_none() {
        let secret = Secret::random().unwrap();
        let text = secret.text();
        assert_eq!(Secret::parse(&text).as_ref(), Some(&secret));
        assert_eq!(text.len(), 49);
        let (short, long) = (&text[..48], format!("{}A", *text));
        for other in ["", "lwm2m_", &text[6..], short, &long, "lwm2m_äöü"] {
            assert_eq!(Secret::parse(other), None, "{other}");
        }
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn a_record_of_before_a_field_was_added_is_read() {
        let old = br#"{"name":"a","kind":"token","scope":"viewer","created_at":7}"#;
        let grant = Grant::decode(old).unwrap();
        assert_eq!((grant.prefix.as_deref(), grant.expires_at), (None, None));
        assert_eq!(Grant::decode(&grant.encode()), Some(grant));
    }
}
