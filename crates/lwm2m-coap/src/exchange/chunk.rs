//! How much of a body one message carries: RFC 7959 section 2.2, RFC 8323 section 6.

use crate::message::{BlockSize, BlockValue};
use crate::transport::Capacity;

/// The part of a body that goes into one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    /// What the Block option says; block numbers count in it.
    pub(super) size: BlockSize,
    /// The bytes: one block, or with BERT several.
    pub(super) bytes: usize,
}

impl Chunk {
    /// One block.
    pub(super) const fn of(size: BlockSize) -> Self {
        Self { size, bytes: size.bytes() }
    }

    /// The block that begins at `offset` of a body of so many bytes.
    pub(super) fn block(self, offset: usize, length: usize) -> BlockValue {
        BlockValue {
            number: u32::try_from(offset / self.size.bytes()).unwrap_or(u32::MAX),
            more: offset.saturating_add(self.bytes) < length,
            size: self.size,
        }
    }

    /// Whether block numbers suffice for a body of so many bytes.
    pub(super) const fn can_number(self, length: usize) -> bool {
        length.div_ceil(self.size.bytes()) <= BlockValue::MAX_NUMBER as usize
    }
}

impl Capacity {
    /// The largest blocks to use for this peer.
    pub(super) fn largest_block(self) -> BlockSize {
        let bert = self.bert && self.preferred == BlockSize::B1024;
        if bert { BlockSize::Bert } else { self.preferred }
    }

    /// The longest body that may go out without blocks, if it fits.
    pub(super) const fn largest_whole(self) -> usize {
        match self.preferred {
            BlockSize::B1024 | BlockSize::Bert if self.connected => usize::MAX,
            _ => self.preferred.bytes(),
        }
    }

    /// The largest chunk, no larger than wanted, that fits into a message beside so many bytes of
    /// options.
    pub(super) fn chunk(self, options: usize, wanted: BlockSize) -> Option<Chunk> {
        let room = self.content.checked_sub(options)?;
        let bert = room - room % BlockSize::Bert.bytes();
        if wanted == BlockSize::Bert && bert > 0 {
            return Some(Chunk { size: BlockSize::Bert, bytes: bert });
        }
        (0..=wanted.szx())
            .rev()
            .filter_map(BlockSize::from_szx)
            .find(|size| size.bytes() <= room)
            .map(Chunk::of)
    }
}
