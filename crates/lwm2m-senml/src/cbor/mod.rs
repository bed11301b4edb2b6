//! SenML in CBOR (RFC 8428, section 6), and the items of CBOR that LwM2M payloads are made of.
//!
//! Items are read by hand on nom and written by hand: that measured faster than `minicbor`, and the
//! few kinds of items that LwM2M allows need no more than this.

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
