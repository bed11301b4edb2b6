//! Records: header, protection, replay window. They know nothing of handshakes.

mod cbc;
mod ccm;
mod ct_hmac;
pub(crate) mod header;
pub(crate) mod protection;
pub(crate) mod stream;
pub(crate) mod window;

pub(crate) use header::{
    ContentType, HEADER_LENGTH, Header, MAX_SEQUENCE, Record, TLS_VERSION, VERSION,
};
pub(crate) use protection::Protection;
pub(crate) use window::ReplayWindow;

use alloc::vec::Vec;

/// What a record's plaintext may hold at most: RFC 5246 section 6.2.1.
pub(crate) const MAX_PLAINTEXT: usize = 1 << 14;

/// Writes an unprotected record of epoch 0.
pub(crate) fn write_plain(out: &mut Vec<u8>, content: ContentType, sequence: u64, body: &[u8]) {
    let header = Header { content, version: VERSION, epoch: 0, sequence, cid: &[] };
    header.encode(out);
    let start = out.len();
    out.extend_from_slice(body);
    header::patch_length(out.get_mut(start - HEADER_LENGTH..).unwrap_or_default(), HEADER_LENGTH);
}
