//! Signaling messages: RFC 8323 section 5.

use crate::message::{FrameView, OptionNumber, Options, Token, uint};

/// Max-Message-Size in a CSM: RFC 8323 section 5.3.1.
pub(super) const MAX_MESSAGE_SIZE: OptionNumber = OptionNumber(2);
/// Block-Wise-Transfer in a CSM: RFC 8323 section 5.3.2.
pub(super) const BLOCK_WISE_TRANSFER: OptionNumber = OptionNumber(4);
/// Extended-Token-Length in a CSM: RFC 8974 section 2.2.1.
const EXTENDED_TOKEN_LENGTH: OptionNumber = OptionNumber(6);
/// Bad-CSM-Option in an Abort: RFC 8323 section 5.6.
pub(super) const BAD_CSM_OPTION: OptionNumber = OptionNumber(2);

/// The capabilities that an endpoint announces in its CSM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Capabilities {
    /// The longest message that the endpoint accepts, in bytes.
    pub(super) max_message_size: u32,
    pub(super) block_wise_transfer: bool,
    /// The longest token that the endpoint accepts, in bytes.
    pub(super) max_token_length: usize,
}

impl Capabilities {
    /// The capabilities before a CSM: RFC 8323 section 5.3.
    pub(super) const BASE: Self = Self {
        max_message_size: 1_152,
        block_wise_transfer: false,
        max_token_length: Token::USUAL_LENGTH,
    };

    /// Updates the capabilities from a CSM. Capabilities that it does not mention stay.
    pub(super) fn learn(&mut self, csm: &FrameView<'_>) {
        for (number, value) in csm.options() {
            match number {
                MAX_MESSAGE_SIZE => {
                    let size = uint(value).and_then(|size| u32::try_from(size).ok());
                    self.max_message_size = size.unwrap_or(self.max_message_size);
                }
                BLOCK_WISE_TRANSFER => self.block_wise_transfer = true,
                _ => {}
            }
        }
    }

    /// The options of the CSM that announces these capabilities.
    pub(super) fn to_options(self) -> Options {
        let mut options = Options::new();
        options.push_uint(MAX_MESSAGE_SIZE, self.max_message_size.into());
        if self.block_wise_transfer {
            options.push(BLOCK_WISE_TRANSFER, b"");
        }
        if self.max_token_length > Token::USUAL_LENGTH {
            options.push_uint(EXTENDED_TOKEN_LENGTH, self.max_token_length as u64);
        }
        options
    }

    /// Whether the endpoint supports BERT: RFC 8323 section 6.
    pub(super) const fn takes_bert(self) -> bool {
        self.block_wise_transfer && self.max_message_size > Self::BASE.max_message_size
    }
}

/// The first critical option of a signaling message. All defined options are elective, so a critical
/// one is unknown.
pub(super) fn critical_option(signal: &FrameView<'_>) -> Option<OptionNumber> {
    signal.options().map(|(number, _)| number).find(|number| number.is_critical())
}
