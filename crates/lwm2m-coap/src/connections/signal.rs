//! Signalling messages: RFC 8323 section 5.

use crate::message::{FrameView, OptionNumber, Options, Token, uint};

/// Max-Message-Size in a CSM.
pub(super) const MAX_MESSAGE_SIZE: OptionNumber = OptionNumber(2);
/// Block-Wise-Transfer in a CSM.
pub(super) const BLOCK_WISE_TRANSFER: OptionNumber = OptionNumber(4);
/// Extended-Token-Length in a CSM: RFC 8974 section 2.2.1.
const EXTENDED_TOKEN_LENGTH: OptionNumber = OptionNumber(6);
/// Bad-CSM-Option in an Abort.
pub(super) const BAD_CSM_OPTION: OptionNumber = OptionNumber(2);

/// What an endpoint has announced in its CSM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Capabilities {
    /// The longest message that it takes.
    pub(super) max_message_size: u32,
    pub(super) block_wise_transfer: bool,
    /// The longest token that it takes.
    pub(super) max_token_length: usize,
}

impl Capabilities {
    /// What holds before anything is announced.
    pub(super) const BASE: Self = Self {
        max_message_size: 1_152,
        block_wise_transfer: false,
        max_token_length: Token::USUAL_LENGTH,
    };

    /// Takes a CSM in. What it does not mention stays as it was.
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

    /// The options of the CSM that announces this.
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

    /// Whether it takes several blocks in one message: RFC 8323 section 6.
    pub(super) const fn takes_bert(self) -> bool {
        self.block_wise_transfer && self.max_message_size > Self::BASE.max_message_size
    }
}

/// The first critical option of a signal. All that are defined are elective, so it is unknown.
pub(super) fn critical_option(signal: &FrameView<'_>) -> Option<OptionNumber> {
    signal.options().map(|(number, _)| number).find(|number| number.is_critical())
}
