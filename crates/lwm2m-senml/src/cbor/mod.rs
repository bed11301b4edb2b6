//! SenML in CBOR (RFC 8428, section 6), and the single items that it is made of.

mod item;
mod reader;
mod writer;

pub use item::{Written, read_item, write_item};
pub use reader::{Reader, read};
pub use writer::write;
