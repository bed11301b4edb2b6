//! An observation: what a server observes, and what it was told last (OMA LwM2M Core 6.4).

use super::attributes::AttributeTable;
use crate::context::Context;
use crate::error::Refusal;
use crate::ids::AccountId;
use crate::objects::read::{merged, read, read_if_present};
use crate::objects::store::Store;
use crate::records;
use alloc::vec;
use alloc::vec::Vec;
use lwm2m_coap::Token;
use lwm2m_core::{Attributes, ContentFormat, Node, Path};
use lwm2m_time::Instant;

/// An observation that a server holds on this client.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) account: AccountId,
    /// The short server id.
    pub(crate) server: u16,
    pub(crate) observed: Observed,
    /// The format that the Observe settled.
    pub(crate) format: ContentFormat,
    /// The attributes of the Observe itself, which replace the attached ones (since 1.2).
    pub(crate) own: Option<Attributes>,
    /// The values notified last, one for each path; `None` where there was none.
    pub(crate) last: Vec<Option<Node>>,
    /// When that was.
    pub(crate) notified_at: Instant,
    /// Above the sequence numbers that the store knows of.
    pub(crate) limit: u32,
}

/// How many notifications may go out until the store has to know of them: so many fit into the second
/// that it may take.
pub(crate) const LEASE: u32 = 256;
/// Sequence numbers of notifications have 24 bits (RFC 7641 section 4.4).
const SEQUENCES: u32 = 0xFF_FFFF;

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
    /// Tells the store that sequence numbers go on from this one. The first ones need not be told.
    pub(crate) fn lease(&mut self, cx: &mut Context, token: Token, sequence: u32) {
        self.limit = sequence.wrapping_add(LEASE) & SEQUENCES;
        if sequence > 0 {
            let key = records::server_key(self.server, token.as_bytes());
            cx.promise(records::put(records::SEQUENCES, key, &self.limit));
        }
    }

    /// Whether few of the sequence numbers are left that the store knows of.
    pub(super) const fn needs_lease(&self, sequence: u32) -> bool {
        self.limit.wrapping_sub(sequence) & SEQUENCES < LEASE / 2
    }

    /// The attributes that control each path: those of the Observe, or those attached at the path
    /// and above. Attributes below an observed object or instance have no say.
    pub(super) fn controls(&self, table: &AttributeTable) -> Vec<Attributes> {
        let attached = |path: &Path| table.effective(self.account, path);
        let of = |path: &Path| self.own.unwrap_or_else(|| attached(path));
        self.observed.paths().iter().map(of).collect()
    }
}
