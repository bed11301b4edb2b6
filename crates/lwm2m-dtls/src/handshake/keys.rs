//! The keys and record parameters that a handshake agrees on.

use crate::record::keys::Protection;
use crate::suite::CipherSuite;
use alloc::vec::Vec;

/// The keys of both directions and the form of their records.
pub(crate) struct Keys {
    pub(crate) suite: CipherSuite,
    pub(crate) read: Protection,
    pub(crate) write: Protection,
    /// The Connection ID in the peer's records.
    pub(crate) read_cid: Vec<u8>,
    /// The Connection ID in our records.
    pub(crate) write_cid: Vec<u8>,
    /// Whether new addresses are checked (RFC 9853).
    pub(crate) return_routability_check: bool,
    /// The longest plaintext that the peer accepts in a record.
    pub(crate) max_plaintext: usize,
}
