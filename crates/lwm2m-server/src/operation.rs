//! Operations on a device and what it answers (OMA LwM2M Core 6.3 and 6.4).

use lwm2m_coap::Code;
use lwm2m_codec::LeftOut;
use lwm2m_codec::composite::Change;
use lwm2m_codec::link::Link;
use lwm2m_core::{Attribute, ContentFormat, Node, Path};
use std::fmt;
use std::sync::Arc;

/// The number of an operation that was submitted, counted from 1 by each server. It stays the same
/// whatever requests the operation takes, and is never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OperationId(pub u64);

/// How Write treats what the payload does not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteMode {
    /// Removes it: the instance, or the array of resource instances, is replaced.
    Replace,
    /// Keeps it. For object instances, and since LwM2M 1.2 for multiple-instance resources.
    Partial,
}

/// An operation on a device.
///
/// Where a content format is `None`, the server chooses one that the device can be expected to
/// understand. If the device refuses it with 4.06 or 4.15, the server tries once more with the next one,
/// and remembers the refusal while the device is registered. Where an answer is asked for,
/// [`ContentFormat::UNSPECIFIED`] leaves its format to the device.
#[derive(Clone, PartialEq, Debug)]
pub enum Operation {
    /// Reads an object, instance, resource or (since 1.1) resource instance.
    Read {
        /// What to read.
        path: Path,
        /// The format that the answer should have.
        format: Option<ContentFormat>,
    },
    /// Lists what exists at and below an object, instance or resource, with the attributes.
    Discover {
        /// Where to look.
        path: Path,
    },
    /// Writes an instance, resource or (since 1.1) resource instance.
    Write {
        /// Where to write.
        path: Path,
        /// What to write; of the kind that lives at the path.
        node: Node,
        /// The format to write in.
        format: Option<ContentFormat>,
        /// What happens to values that `node` does not name.
        mode: WriteMode,
    },
    /// Sets and unsets notification attributes.
    WriteAttributes {
        /// Where to set them.
        path: Path,
        /// Which ones.
        attributes: Vec<Attribute>,
    },
    /// Executes a resource.
    Execute {
        /// The resource.
        path: Path,
        /// The arguments as text, such as `0='text',3`; empty for none.
        arguments: String,
    },
    /// Creates an instance.
    Create {
        /// The object.
        path: Path,
        /// The id of the instance; without one the client chooses.
        instance: Option<u16>,
        /// Its values: a [`Node::ObjectInstance`].
        node: Node,
        /// The format to write in.
        format: Option<ContentFormat>,
    },
    /// Deletes an instance or (since 1.2) a resource instance.
    Delete {
        /// What to delete.
        path: Path,
    },
    /// Reads, and subscribes to changes. It replaces an observation of the same path.
    Observe {
        /// What to observe.
        path: Path,
        /// The format that notifications should have.
        format: Option<ContentFormat>,
    },
    /// Reads several paths at once (since 1.1); what the device lacks is left out.
    ReadComposite {
        /// What to read, in any objects; the root is everything.
        paths: Arc<[Path]>,
        /// The format of the list: SenML, or SenML-ETCH (since 1.2).
        path_format: Option<ContentFormat>,
        /// The format that the answer should have.
        format: Option<ContentFormat>,
    },
    /// Writes several resources at once (since 1.1): all, or none.
    WriteComposite {
        /// The resources and resource instances with their new values.
        changes: Vec<Change>,
        /// The format to write in.
        format: Option<ContentFormat>,
    },
    /// Reads several paths at once, and subscribes to changes of any of them (since 1.1).
    /// It replaces an observation of the same paths in the same order.
    ObserveComposite {
        /// What to observe.
        paths: Arc<[Path]>,
        /// The format of the list: SenML, or SenML-ETCH (since 1.2).
        path_format: Option<ContentFormat>,
        /// The format that notifications should have.
        format: Option<ContentFormat>,
    },
    /// Ends an observation by telling the device.
    CancelObservation {
        /// What is observed.
        target: Target,
    },
}

impl Operation {
    /// The path that the operation acts on; the root for composite operations.
    #[must_use]
    pub const fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. }
            | Self::Discover { path }
            | Self::Write { path, .. }
            | Self::WriteAttributes { path, .. }
            | Self::Execute { path, .. }
            | Self::Create { path, .. }
            | Self::Delete { path }
            | Self::Observe { path, .. }
            | Self::CancelObservation { target: Target::Path(path) } => path,
            Self::ReadComposite { .. }
            | Self::WriteComposite { .. }
            | Self::ObserveComposite { .. }
            | Self::CancelObservation { target: Target::Composite(_) } => &Path::ROOT,
        }
    }

    /// Whether it makes no difference to the device if it gets the operation twice. The values of
    /// executables do, and so do new instances; a second Delete is an error, so its answer would lie.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        match self {
            Self::Read { .. }
            | Self::Discover { .. }
            | Self::Write { .. }
            | Self::WriteAttributes { .. }
            | Self::Observe { .. }
            | Self::ReadComposite { .. }
            | Self::WriteComposite { .. }
            | Self::ObserveComposite { .. } => true,
            Self::Execute { .. }
            | Self::Create { .. }
            | Self::Delete { .. }
            | Self::CancelObservation { .. } => false,
        }
    }

    /// Whether the server chooses a format, and may choose another one if the device refuses it.
    pub(crate) const fn leaves_format_open(&self) -> bool {
        match self {
            Self::Read { format, .. }
            | Self::Observe { format, .. }
            | Self::Write { format, .. }
            | Self::Create { format, .. }
            | Self::WriteComposite { format, .. } => format.is_none(),
            Self::ReadComposite { path_format, format, .. }
            | Self::ObserveComposite { path_format, format, .. } => {
                path_format.is_none() || format.is_none()
            }
            Self::Discover { .. }
            | Self::WriteAttributes { .. }
            | Self::Execute { .. }
            | Self::Delete { .. }
            | Self::CancelObservation { .. } => false,
        }
    }

    /// The target that the values of the answer belong to.
    pub(crate) fn target(&self) -> Target {
        match self {
            Self::ReadComposite { paths, .. } | Self::ObserveComposite { paths, .. } => {
                Target::Composite(Arc::clone(paths))
            }
            Self::CancelObservation { target } => target.clone(),
            _ => Target::Path(*self.path()),
        }
    }
}

/// What an operation or observation covers: one path, or the list of a composite operation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// One path.
    Path(Path),
    /// Several paths, in the order in which they were asked for.
    Composite(Arc<[Path]>),
}

impl Target {
    /// The path of the [`Node`] in answers and notifications: the root, if there are several paths.
    #[must_use]
    pub const fn path(&self) -> Path {
        match self {
            Self::Path(path) => *path,
            Self::Composite(_) => Path::ROOT,
        }
    }

    /// Whether `path` is at or below the target.
    pub(crate) fn names(&self, path: &Path) -> bool {
        match self {
            Self::Path(own) => own.contains(path),
            Self::Composite(paths) => paths.iter().any(|own| own.contains(path)),
        }
    }
}

impl From<Path> for Target {
    fn from(path: Path) -> Self {
        Self::Path(path)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Composite(paths) => {
                for (index, path) in paths.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{path}")?;
                }
                Ok(())
            }
        }
    }
}

/// What a device answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Response {
    /// The response code. After class 4 or 5 the device has not carried the operation out.
    pub code: Code,
    /// Whether the operation has such a code (OMA LwM2M Transport 6.4.4 and 6.4.5).
    pub valid: bool,
    /// The decoded payload.
    pub content: Content,
    /// The text that explains an error, if the device sent one.
    pub diagnostic: Option<String>,
    /// The values that `content` lacks, because they cannot be decoded; at most 64 of them.
    pub left_out: Vec<LeftOut>,
}

/// The content of an answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Content {
    /// Nothing: the answer was an error, or the operation yields nothing.
    None,
    /// The values at the path of a Read, Observe or active cancellation.
    Node(Node),
    /// The links of a Discover.
    Links(Vec<Link>),
    /// The path of the created instance, if the device named it.
    Created(Option<Path>),
}
