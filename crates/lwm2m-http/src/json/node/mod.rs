//! Nodes (objects, instances, resources) in the dialect's JSON.
//!
//! Each node has a `kind`: `root`, `obj`, `instance`, `singleResource`, `multiResource` or
//! `resourceInstance`. Only the outermost node needs it on input; for others the path decides.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{read_changes, read_new_instance, read_node};
pub use write::{CompositeJson, NodeJson};

use super::value::ValueError;
use lwm2m_core::Path;

/// Why a body is not the JSON of a node, and where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at {path}: {reason}")]
pub struct NodeError {
    /// The innermost node that could still be addressed.
    pub path: Path,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a node in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// A node is not a JSON object.
    #[error("a JSON object with the field `kind` is expected")]
    NotAnObject,
    /// The name of a field is no path of a resource or resource instance.
    #[error("each field is named by the path of a resource or resource instance")]
    Path,
    /// The kind is not the one that lives at this path.
    #[error("`kind` does not fit the path; {0} is expected")]
    Kind(&'static str),
    /// A field that is needed is not there, or is not of its JSON type.
    #[error("the field `{0}` is missing or is not {1}")]
    Field(&'static str, &'static str),
    /// An id is not a number of the range.
    #[error("an id is a whole number from 0 to 65534, or text of one")]
    Id,
    /// The id in the body is not the id in the path.
    #[error("the `id` {0} in the body is not the last id of the path; change one of them")]
    OtherId(u16),
    /// Two nodes of one level have the same id.
    #[error("the id {0} is there twice")]
    Duplicate(u16),
    /// The field `type` names no data type.
    #[error(
        "`type` is none of STRING, INTEGER, UNSIGNED_INTEGER, FLOAT, BOOLEAN, OPAQUE, TIME, OBJLNK, CORELINK"
    )]
    Type,
    /// The value does not fit its type.
    #[error(transparent)]
    Value(#[from] ValueError),
}

type Result<T, E = NodeError> = std::result::Result<T, E>;
