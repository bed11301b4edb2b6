//! What the reader forgave devices, by kind: where they deviate from the standard.

use lwm2m_codec::Quirk;

const KINDS: usize = Quirk::ALL.len();

/// How often each deviation was forgiven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts([u32; KINDS]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; KINDS])
    }
}

impl Counts {
    /// One more of each of these.
    pub(crate) fn add(&mut self, quirks: &[Quirk]) {
        for quirk in quirks {
            if let Some(count) = self.0.get_mut(*quirk as usize) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Those that were forgiven.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Quirk, u32)> + '_ {
        let all = Quirk::ALL.iter().copied().zip(self.0);
        all.filter(|(_, count)| *count > 0)
    }
}

/// What was forgiven a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgiven {
    /// In values that it sent, since it registered under this name or the server was started: how many
    /// messages have each deviation.
    pub values: Vec<(Quirk, u32)>,
    /// In the object list that it registered.
    pub links: Vec<Quirk>,
}
