//! From premaster secret to keys: RFC 5246 sections 6.3 and 8.1, RFC 7627, RFC 4279 section 2.

use crate::crypto::prf::prf;
use crate::mode::Role;
use crate::record::keys::Protection;
use crate::suite::CipherSuite;
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// A master secret.
pub(crate) type Master = Zeroizing<[u8; 48]>;

/// The random values of the two hellos.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Randoms {
    pub(crate) client: [u8; 32],
    pub(crate) server: [u8; 32],
}

/// The keys of both directions.
pub(crate) struct SessionKeys {
    pub(crate) client: Protection,
    pub(crate) server: Protection,
}

/// The premaster secret with a pre-shared key. `other` is the shared secret of ECDHE; without it,
/// as many zeros as the key has bytes take its place.
pub(crate) fn psk_premaster(other: Option<&[u8; 32]>, key: &[u8]) -> Zeroizing<Vec<u8>> {
    let zeros;
    let other = match other {
        Some(shared) => &shared[..],
        None => {
            zeros = Zeroizing::new(alloc::vec![0; key.len()]);
            &zeros[..]
        }
    };
    let mut secret = Zeroizing::new(Vec::with_capacity(4 + other.len() + key.len()));
    for part in [other, key] {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        secret.extend_from_slice(&length.to_be_bytes());
        secret.extend_from_slice(part);
    }
    secret
}

/// Derives the master secret; with the session hash the extended one (RFC 7627).
pub(crate) fn master(
    premaster: &[u8],
    session_hash: Option<&[u8; 32]>,
    randoms: &Randoms,
) -> Master {
    let mut master = Zeroizing::new([0; 48]);
    match session_hash {
        Some(hash) => prf(premaster, "extended master secret", &[hash], &mut *master),
        None => {
            let seed = [&randoms.client[..], &randoms.server[..]];
            prf(premaster, "master secret", &seed, &mut *master);
        }
    }
    master
}

/// Derives the session keys of a suite.
pub(crate) fn session_keys(
    master: &Master,
    suite: CipherSuite,
    randoms: &Randoms,
    encrypt_then_mac: bool,
) -> Option<SessionKeys> {
    let (_, cipher) = suite.parts()?;
    let mut block = Zeroizing::new([0; 2 * (32 + 16 + 4)]);
    let length = 2 * (cipher.mac_key_length() + 16 + cipher.fixed_iv_length());
    let block = block.get_mut(..length)?;
    prf(&**master, "key expansion", &[&randoms.server, &randoms.client], block);
    let empty =
        Protection { cipher, encrypt_then_mac, key: [0; 16], fixed_iv: [0; 4], mac_key: [0; 32] };
    let (mut client, mut server, mut rest) = (empty.clone(), empty, &*block);
    let mut take = |field: &mut [u8], length: usize| -> Option<()> {
        let (part, after) = rest.split_at_checked(length)?;
        field.get_mut(..length)?.copy_from_slice(part);
        rest = after;
        Some(())
    };
    take(&mut client.mac_key, cipher.mac_key_length())?;
    take(&mut server.mac_key, cipher.mac_key_length())?;
    take(&mut client.key, 16)?;
    take(&mut server.key, 16)?;
    take(&mut client.fixed_iv, cipher.fixed_iv_length())?;
    take(&mut server.fixed_iv, cipher.fixed_iv_length())?;
    Some(SessionKeys { client, server })
}

/// The verify_data in the Finished of a side.
pub(crate) fn verify_data(master: &Master, sender: Role, transcript: &[u8; 32]) -> [u8; 12] {
    let label = match sender {
        Role::Client => "client finished",
        Role::Server => "server finished",
    };
    let mut out = [0; 12];
    prf(&**master, label, &[transcript], &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: PSK-02
    #[test]
    fn premaster_of_a_pre_shared_key() {
        assert_eq!(**psk_premaster(None, &[1, 2, 3]), [0, 3, 0, 0, 0, 0, 3, 1, 2, 3]);
        let shared = psk_premaster(Some(&[7; 32]), &[1]);
        assert_eq!((shared[..3].to_vec(), &shared[34..]), (vec![0, 32, 7], &[0, 1, 1][..]));
    }
}
