//! An observation: what a server observes, and what it was told last (OMA LwM2M Core 6.4).

use super::attributes::AttributeTable;
use crate::error::Refusal;
use crate::ids::AccountId;
use crate::objects::read::{merged, read, read_if_present};
use crate::objects::store::Store;
use alloc::vec;
use alloc::vec::Vec;
use lwm2m_core::{Attributes, ContentFormat, Node, Path};
use lwm2m_time::Instant;

/// An observation that a server holds on this client.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) account: AccountId,
    pub(crate) observed: Observed,
    /// The format that the Observe settled.
    pub(crate) format: ContentFormat,
    /// The attributes of the Observe itself, which replace the attached ones (since 1.2).
    pub(crate) own: Option<Attributes>,
    /// The values notified last, one for each path; `None` where there was none.
    pub(crate) last: Vec<Option<Node>>,
    /// When that was.
    pub(crate) notified_at: Instant,
}

/// What an observation is about.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Observed {
    /// One path, which has to exist.
    One(Path),
    /// Several paths, each of which may be missing.
    Composite(Vec<Path>),
}

impl Observed {
    pub(crate) fn paths(&self) -> &[Path] {
        match self {
            Self::One(path) => core::slice::from_ref(path),
            Self::Composite(paths) => paths,
        }
    }

    /// The path under which the application hears of it: the root stands for several paths.
    pub(crate) const fn path(&self) -> Path {
        match self {
            Self::One(path) => *path,
            Self::Composite(_) => Path::ROOT,
        }
    }

    /// The values at the paths.
    pub(crate) fn read(&self, store: &Store) -> Result<Vec<Option<Node>>, Refusal> {
        match self {
            Self::One(path) => Ok(vec![Some(read(store, path)?)]),
            Self::Composite(paths) => {
                Ok(paths.iter().map(|path| read_if_present(store, path)).collect())
            }
        }
    }

    /// The values as one node, and its path.
    pub(crate) fn tree(&self, values: &[Option<Node>]) -> Option<(Path, Node)> {
        match self {
            Self::One(path) => Some((*path, values.first()?.clone()?)),
            Self::Composite(paths) => {
                let parts = paths.iter().zip(values);
                let present = parts.filter_map(|(path, node)| Some((path, node.as_ref()?)));
                Some((Path::ROOT, merged(present)))
            }
        }
    }
}

impl Observation {
    /// The attributes that control each path: those of the Observe, or those attached at the path
    /// and above. Attributes below an observed object or instance have no say.
    pub(super) fn controls(&self, table: &AttributeTable) -> Vec<Attributes> {
        let attached = |path: &Path| table.effective(self.account, path);
        let of = |path: &Path| self.own.unwrap_or_else(|| attached(path));
        self.observed.paths().iter().map(of).collect()
    }
}
