//! The text of a definition: an offset into the built-in pool, or owned.

use alloc::boxed::Box;
use core::fmt;

include!(concat!(env!("OUT_DIR"), "/pool.rs"));

/// A built-in text is an offset instead of a pointer, so that the tables need no relocation.
#[derive(Clone)]
pub(crate) struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Pooled { start: u32, len: u8 },
    Owned(Box<str>),
}

impl Text {
    pub(crate) const fn pooled(start: u32, len: u8) -> Self {
        Self(Repr::Pooled { start, len })
    }

    pub(crate) const fn empty() -> Self {
        Self::pooled(0, 0)
    }

    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Pooled { start, len } => pooled(*start, *len),
            Repr::Owned(text) => text,
        }
    }
}

/// The text of `len` bytes at `start` in the pool, or an empty text outside of it.
fn pooled(start: u32, len: u8) -> &'static str {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    POOL.get(start..start.saturating_add(usize::from(len))).unwrap_or("")
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Repr::Owned(text.into()))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
