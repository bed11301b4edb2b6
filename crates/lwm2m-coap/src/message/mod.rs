//! The CoAP message format over UDP: RFC 7252 sections 3, 5.10 and 12.
//!
//! Reading is zero-copy ([`MessageView`]), writing goes into a caller's buffer
//! ([`MessageBuilder`]); both are pure functions of bytes.

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
    /// CON: asks for an acknowledgement, and is resent until one comes.
    Confirmable = 0,
    /// NON: sent once.
    NonConfirmable = 1,
    /// ACK: a confirmable message arrived; it may carry the response.
    Acknowledgement = 2,
    /// RST: a message arrived that means nothing to the receiver.
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
