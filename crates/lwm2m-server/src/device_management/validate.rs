//! Refuses operations that have no form on the wire. Whether a device has what an operation names, and
//! takes its values, is for the device to judge.

use crate::error::Invalid;
use crate::operation::{Operation, WriteMode};
use lwm2m_codec::composite::Change;
use lwm2m_core::{Node, Path, Resource};

/// Checks an operation.
pub(crate) fn check(operation: &Operation) -> Result<(), Invalid> {
    let path = operation.path();
    match operation {
        Operation::Read { .. } | Operation::Observe { .. } => depth(path, path.depth() >= 1),
        Operation::Discover { .. } => depth(path, (1..=3).contains(&path.depth())),
        Operation::Write { node, mode, .. } => write(path, node, *mode),
        Operation::WriteAttributes { attributes, .. } => {
            depth(path, path.depth() >= 1)?;
            if attributes.is_empty() { Err(Invalid::NoAttributes) } else { Ok(()) }
        }
        Operation::Execute { .. } => depth(path, path.depth() == 3),
        Operation::Create { node, .. } => {
            depth(path, path.depth() == 1)?;
            let instance = matches!(node, Node::ObjectInstance(_));
            if instance { Ok(()) } else { Err(Invalid::Node(*path)) }
        }
        Operation::Delete { .. } => depth(path, matches!(path.depth(), 2 | 4)),
        Operation::ReadComposite { paths, .. } | Operation::ObserveComposite { paths, .. } => {
            if paths.is_empty() {
                Err(Invalid::NoPaths)
            } else {
                Ok(())
            }
        }
        Operation::WriteComposite { changes, .. } => composite(changes),
        Operation::CancelObservation { .. } => Ok(()),
    }
}

fn depth(path: &Path, fits: bool) -> Result<(), Invalid> {
    if fits { Ok(()) } else { Err(Invalid::Path(*path)) }
}

/// A partial Write of a single value would be an Execute, as both are POST.
fn write(path: &Path, node: &Node, mode: WriteMode) -> Result<(), Invalid> {
    depth(path, path.depth() >= 2)?;
    if node.depth() != path.depth() {
        return Err(Invalid::Node(*path));
    }
    let array = matches!(node, Node::Resource(Resource::Multiple(_)));
    depth(path, mode == WriteMode::Replace || path.depth() == 2 || array)
}

fn composite(changes: &[Change]) -> Result<(), Invalid> {
    if changes.is_empty() {
        return Err(Invalid::NoPaths);
    }
    changes.iter().try_for_each(|(path, value)| match value {
        Some(_) => depth(path, path.depth() >= 3),
        None => depth(path, path.depth() == 4),
    })
}
