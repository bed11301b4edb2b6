//! SenML in CBOR (RFC 8428, section 6), and the items of CBOR that LwM2M payloads are made of.
//!
//! Items are read by hand on nom and written by hand, because that takes half the time which
//! `minicbor` takes, and because the few kinds of items that LwM2M allows are all there is.

mod decoder;
mod encoder;
mod reader;
mod writer;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use reader::{Reader, read};
pub use writer::write;
