//! How much of a body fits into a message: RFC 7959 section 2.2, RFC 8323 section 6.

use crate::message::{BlockSize, BlockValue};
use crate::transport::Capacity;

/// The part of a body that one message carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    /// The block size of the Block option. Block numbers count in this unit.
    pub(super) size: BlockSize,
    /// The bytes per message: one block, or several with BERT.
    pub(super) bytes: usize,
}

impl Chunk {
    /// One block.
    pub(super) const fn of(size: BlockSize) -> Self {
        Self { size, bytes: size.bytes() }
    }

    /// The Block option of the chunk at `offset` of a body of `length` bytes.
    pub(super) fn block(self, offset: usize, length: usize) -> BlockValue {
        BlockValue {
            number: u32::try_from(offset / self.size.bytes()).unwrap_or(u32::MAX),
            more: offset.saturating_add(self.bytes) < length,
            size: self.size,
        }
    }

    /// Whether block numbers suffice for a body of `length` bytes.
    pub(super) const fn can_number(self, length: usize) -> bool {
        length.div_ceil(self.size.bytes()) <= BlockValue::MAX_NUMBER as usize
    }
}

impl Capacity {
    /// The largest block size to use for this peer.
    pub(super) fn largest_block(self) -> BlockSize {
        let bert = self.bert && self.preferred == BlockSize::B1024;
        if bert { BlockSize::Bert } else { self.preferred }
    }

    /// The longest body to send without blocks, if it fits into the message.
    pub(super) const fn largest_whole(self) -> usize {
        match self.preferred {
            BlockSize::B1024 | BlockSize::Bert if self.connected => usize::MAX,
            _ => self.preferred.bytes(),
        }
    }

    /// The largest chunk of at most the `wanted` size that fits into a message with `options` bytes
    /// of options.
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
