//! The value of a Block option: RFC 7959 section 2.2, RFC 8323 section 6.

/// The size of a block: a power of two from 16 to 1,024 bytes, or BERT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum BlockSize {
    /// 16 bytes, SZX 0.
    B16,
    /// 32 bytes, SZX 1.
    B32,
    /// 64 bytes, SZX 2.
    B64,
    /// 128 bytes, SZX 3.
    B128,
    /// 256 bytes, SZX 4.
    B256,
    /// 512 bytes, SZX 5.
    B512,
    /// 1,024 bytes, SZX 6.
    #[default]
    B1024,
    /// BERT, SZX 7: any number of blocks of 1,024 bytes in one message. On connections only (RFC
    /// 8323 section 6).
    Bert,
}

impl BlockSize {
    /// The size of an exponent, or `None` for 7, which is reserved over UDP. On connections 7 means
    /// [`BlockSize::Bert`].
    #[must_use]
    pub const fn from_szx(szx: u8) -> Option<Self> {
        Some(match szx {
            0 => Self::B16,
            1 => Self::B32,
            2 => Self::B64,
            3 => Self::B128,
            4 => Self::B256,
            5 => Self::B512,
            6 => Self::B1024,
            _ => return None,
        })
    }

    /// The exponent, SZX.
    #[must_use]
    pub const fn szx(self) -> u8 {
        self as u8
    }

    /// The size in bytes. Block numbers count in this unit.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bert => Self::B1024.bytes(),
            _ => 16 << self as u8,
        }
    }
}

/// The value of a Block1 or Block2 option.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlockValue {
    /// NUM: the block number, 20 bits.
    pub number: u32,
    /// M: whether more blocks follow.
    pub more: bool,
    /// SZX: the block size.
    pub size: BlockSize,
}

impl BlockValue {
    /// The largest block number.
    pub const MAX_NUMBER: u32 = (1 << 20) - 1;

    /// Decodes the value of an option. Returns `None` for SZX 7 or more than three bytes.
    #[must_use]
    pub fn from_bytes(value: &[u8]) -> Option<Self> {
        Self::read(value).filter(|block| block.size != BlockSize::Bert)
    }

    /// Decodes the value of an option on a connection, where SZX 7 means BERT.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        if value.len() > 3 {
            return None;
        }
        let bits = value.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let size = BlockSize::from_szx((bits & 7) as u8).unwrap_or(BlockSize::Bert);
        Some(Self { number: bits >> 4, more: bits & 8 != 0, size })
    }

    /// Whether a block may have this many bytes: all blocks but the last are full.
    pub(crate) const fn allows(self, bytes: usize) -> bool {
        match (self.size, self.more) {
            (BlockSize::Bert, true) => bytes > 0 && bytes.is_multiple_of(self.size.bytes()),
            (BlockSize::Bert, false) => true,
            (_, true) => bytes == self.size.bytes(),
            (_, false) => bytes <= self.size.bytes(),
        }
    }

    /// Encodes the value as the unsigned integer of the option.
    #[must_use]
    pub const fn to_uint(self) -> u64 {
        ((self.number as u64) << 4) | ((self.more as u64) << 3) | self.size.szx() as u64
    }

    /// The offset of the block in the body, in bytes.
    #[must_use]
    pub const fn offset(self) -> usize {
        (self.number as usize).saturating_mul(self.size.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OptionNumber, Options};
    use super::*;

    #[test]
    fn values_are_encoded_in_the_fewest_bytes() {
        for (number, more, size, bytes) in [
            (0, false, BlockSize::B16, &[][..]),
            (0, true, BlockSize::B1024, &[0x0E]),
            (15, false, BlockSize::B64, &[0xF2]),
            (4_096, false, BlockSize::B16, &[1, 0, 0]),
            (BlockValue::MAX_NUMBER, true, BlockSize::B1024, &[0xFF, 0xFF, 0xFE]),
        ] {
            let value = BlockValue { number, more, size };
            let mut options = Options::new();
            options.push_uint(OptionNumber::BLOCK2, value.to_uint());
            assert_eq!(options.get(OptionNumber::BLOCK2), Some(bytes));
            assert_eq!(BlockValue::from_bytes(bytes), Some(value));
        }
        assert_eq!(BlockValue::from_bytes(&[7]), None);
        assert_eq!(BlockValue::from_bytes(&[0, 0, 0, 0]), None);
    }
}
