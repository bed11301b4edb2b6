//! Users and their passwords.

use super::grant::Scope;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

/// The fewest characters of a password (NIST SP 800-63B asks for 8, and for 15 without a second factor).
pub const MIN_PASSWORD: usize = 12;
/// The most bytes of a password: hashing takes time by its length.
pub(crate) const MAX_PASSWORD: usize = 256;

/// Somebody who logs in to the page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct User {
    /// How much the user may do.
    pub scope: Scope,
    /// The beginning of the endpoint names that the user is confined to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The password by Argon2id, as a PHC string.
    pub(super) password: String,
}

impl User {
    /// A user with a password. Takes some 20 ms of a processor.
    pub(crate) fn new(
        scope: Scope,
        prefix: Option<String>,
        password: &str,
    ) -> Result<Self, argon2::password_hash::Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| argon2::password_hash::Error::Crypto)?;
        let salt = SaltString::encode_b64(&salt)?;
        let password = argon2().hash_password(password.as_bytes(), &salt)?.to_string();
        Ok(Self { scope, prefix, password })
    }

    /// Whether it is the user's password; `None`, a user that is not there, takes as long. Takes some
    /// 20 ms of a processor.
    pub(crate) fn is_password(user: Option<&Self>, password: &str) -> bool {
        let kept = user.map_or(NOBODY, |user| &user.password);
        let matches = PasswordHash::new(kept)
            .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
        matches && user.is_some()
    }

    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // A struct of texts is always JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A hash with the parameters of [`argon2`] whose password nobody knows.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
                      AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Argon2id with the parameters that OWASP recommends: 19 MiB, two passes.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_that_of_its_user_alone() {
        let user = User::new(Scope::Viewer, None, "correct horse").unwrap();
        assert!(User::is_password(Some(&user), "correct horse"));
        assert!(!User::is_password(Some(&user), "correct horsf"));
        assert!(!User::is_password(None, ""));
        assert!(user.password.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(PasswordHash::new(NOBODY).is_ok(), "a name that is not there is told by its time");
        assert_eq!(User::decode(&user.encode()), Some(user));
    }
}
