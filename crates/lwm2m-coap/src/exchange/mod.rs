//! Requests and responses: tokens, observations and block-wise transfer.

mod block;

pub use block::{BlockSize, BlockValue};
