//! Frames that leave together.

use axum::body::Bytes;
use std::sync::Arc;

/// Frames that are being collected.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    /// Where each frame ends.
    ends: Vec<usize>,
}

impl Batch {
    /// Adds the frame that `write` appends.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let start = self.text.len();
        write(&mut self.text);
        self.ends.push(self.text.len());
        self.text.get(start..).unwrap_or_default()
    }

    /// The bytes that have been collected.
    pub(super) const fn len(&self) -> usize {
        self.text.len()
    }

    /// What has been collected, and begins anew; `None` if that is nothing.
    pub(super) fn take(&mut self) -> Option<Frames> {
        let Self { text, ends } = std::mem::take(self);
        (!ends.is_empty()).then(|| Frames { text: text.into(), ends: ends.into(), first: 0 })
    }
}

/// Frames that were collected, shared by all streams that get them.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    text: Bytes,
    ends: Arc<[usize]>,
    /// The frames before this one have been dropped.
    first: usize,
}

impl Frames {
    /// How many frames are left.
    pub(super) fn count(&self) -> usize {
        self.ends.len() - self.first
    }

    /// The bytes that are kept, those of dropped frames included.
    pub(super) const fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Drops up to `count` frames from the front, and returns how many.
    pub(super) fn drop_oldest(&mut self, count: usize) -> usize {
        let dropped = count.min(self.count());
        self.first += dropped;
        dropped
    }

    /// The text of the frames that are left.
    pub(super) fn into_text(self) -> Bytes {
        let start = self.first.checked_sub(1).and_then(|last| self.ends.get(last));
        self.text.slice(start.copied().unwrap_or_default()..)
    }
}
