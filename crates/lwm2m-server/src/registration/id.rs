//! Registration ids: the last segment of the location `/rd/{id}` (OMA LwM2M Core 6.2.1).

use rand_chacha::rand_core::RngCore;
use std::fmt;

const LENGTH: usize = 16;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The id of a registration: 16 characters of 5 random bits each. It cannot be guessed and is
/// never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationId([u8; LENGTH]);

impl RegistrationId {
    /// Reads an id from a Uri-Path; `None` if it has another form.
    #[must_use]
    pub fn from_bytes(id: &[u8]) -> Option<Self> {
        let id: [u8; LENGTH] = id.try_into().ok()?;
        id.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')).then_some(Self(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The alphabet is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn random(rng: &mut impl RngCore) -> Self {
        let mut id = [0; LENGTH];
        rng.fill_bytes(&mut id);
        Self(id.map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'a')))
    }
}

impl fmt::Display for RegistrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RegistrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn every_character_of_an_id_is_random() {
        let mut rng = ChaCha12Rng::from_seed([7; 32]);
        let ids: Vec<_> = (0..1_000).map(|_| RegistrationId::random(&mut rng).0).collect();
        for place in 0..LENGTH {
            let used: std::collections::BTreeSet<_> = ids.iter().map(|id| id[place]).collect();
            assert_eq!(used.len(), ALPHABET.len(), "{place}");
        }
    }

    #[test]
    fn an_id_survives_its_text_and_other_texts_are_none() {
        let id = RegistrationId::random(&mut ChaCha12Rng::from_seed([7; 32]));
        assert_eq!(RegistrationId::from_bytes(id.to_string().as_bytes()), Some(id));
        for text in ["", "short", "ABCDEFGHIJKLMNOP", "abcdefghijklmno\u{fc}", "abcdefghijklmnopq"]
        {
            assert_eq!(RegistrationId::from_bytes(text.as_bytes()), None, "{text}");
        }
    }
}
