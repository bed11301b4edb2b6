//! SenML in JSON (RFC 8428, section 5).
//!
//! The reader is written by hand on nom, because numbers have to stay exact (an integer is never
//! a double on its way), and because it reads records a good deal faster than `serde_json` does.

mod lexer;
pub mod oma;
mod reader;
mod writer;

pub use reader::Reader;
#[cfg(test)]
pub(crate) use reader::read;
pub(crate) use writer::whole;
pub use writer::{Writer, write};
