//! Message formats: datagrams (RFC 7252 section 3) and frames on a stream (RFC 8323 section 3.2).
//!
//! Views read without copying, writers append to a buffer of the caller. Everything here is a pure
//! function of bytes.
//!
//! | module | what | standard |
//! |---|---|---|
//! | `view`, `builder` | datagrams | RFC 7252 section 3 |
//! | `frame` | frames on a stream | RFC 8323 section 3.2 |
//! | `parts` | what both have in common | |
//! | `code` | methods, response codes, signaling codes | RFC 7252 section 12.1 |
//! | `option`, `options`, `option_encoding` | options | RFC 7252 sections 3.1, 5.10 |
//! | `block` | the value of a Block option | RFC 7959 section 2.2 |
//! | `token` | tokens | RFC 7252 section 5.3.1, RFC 8974 |

mod block;
mod builder;
mod code;
mod frame;
mod option;
mod option_encoding;
mod options;
mod parts;
mod token;
mod view;

pub use block::{BlockSize, BlockValue};
pub use builder::MessageBuilder;
pub use code::Code;
pub(crate) use frame::{FRAME_OVERHEAD, frame_length};
pub use frame::{FrameError, FrameView, write_frame};
pub use option::OptionNumber;
pub(crate) use options::uint;
pub use options::{OptionIter, Options};
pub use parts::Fault;
pub(crate) use parts::Parts;
pub use token::Token;
pub use view::{MessageView, ParseError};

/// The type of a message: RFC 7252 section 3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MessageType {
    /// CON: retransmitted until it is acknowledged (RFC 7252 section 4.2).
    Confirmable = 0,
    /// NON: sent once, without acknowledgement (RFC 7252 section 4.3).
    NonConfirmable = 1,
    /// ACK: acknowledges a confirmable message, and may carry the response.
    Acknowledgement = 2,
    /// RST: rejects a message that the receiver lacks context for.
    Reset = 3,
}

impl MessageType {
    pub(crate) const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Confirmable,
            1 => Self::NonConfirmable,
            2 => Self::Acknowledgement,
            _ => Self::Reset,
        }
    }
}
