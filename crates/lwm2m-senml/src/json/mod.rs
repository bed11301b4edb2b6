//! SenML in JSON: RFC 8428 section 5.
//!
//! The reader is written by hand on nom, because integers must stay exact, and because it is faster
//! than `serde_json`.

mod lexer;
pub mod oma;
mod reader;
mod writer;

pub use reader::Reader;
#[cfg(test)]
pub(crate) use reader::read;
pub use writer::{Writer, write};
