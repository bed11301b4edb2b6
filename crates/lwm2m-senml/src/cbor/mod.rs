//! SenML in CBOR (RFC 8428 section 6), and the items of CBOR (RFC 8949) that LwM2M uses.
//!
//! Items are read by hand on nom and written by hand, which is faster than `minicbor` and suffices for
//! the few kinds of items that LwM2M allows.

mod decoder;
mod encoder;
mod reader;
mod writer;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use reader::Reader;
#[cfg(test)]
pub(crate) use reader::read;
pub use writer::{Writer, write};
