//! SenML in CBOR (RFC 8428, section 6).

mod reader;
mod writer;

pub use reader::{Reader, read};
pub use writer::write;
