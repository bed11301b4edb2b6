//! Operations on a device and what it answers (OMA LwM2M Core 6.3 and 6.4).

use lwm2m_coap::{Code, RequestId};
use lwm2m_codec::link::Link;
use lwm2m_core::{Attribute, ContentFormat, Node, Path};

/// The name of an operation that was sent; never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OperationId(pub(crate) RequestId);

/// How Write treats what the payload does not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteMode {
    /// It goes: the instance, or the array of resource instances, is replaced.
    Replace,
    /// It stays; for object instances, and since LwM2M 1.2 for multiple-instance resources.
    Partial,
}

/// An operation on a device. Where a content format can be named and is not, the server chooses
/// one that the device understands.
#[derive(Clone, PartialEq, Debug)]
pub enum Operation {
    /// Reads an object, instance, resource or (since 1.1) resource instance.
    Read {
        /// What to read.
        path: Path,
        /// The format that the answer should have.
        format: Option<ContentFormat>,
    },
    /// Asks what there is at and below an object, instance or resource, with its attributes.
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
        /// What becomes of values that `node` does not name.
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
    /// Reads, and asks to be told of changes. It replaces an observation of the same path.
    Observe {
        /// What to observe.
        path: Path,
        /// The format that notifications should have.
        format: Option<ContentFormat>,
    },
    /// Ends an observation by telling the device.
    CancelObservation {
        /// The path of the observation.
        path: Path,
    },
}

impl Operation {
    /// What the operation is about.
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
            | Self::CancelObservation { path } => path,
        }
    }
}

/// What a device answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Response {
    /// The response code; one of class 4 or 5 means that the operation was not carried out.
    pub code: Code,
    /// What came with it.
    pub content: Content,
    /// The text that explains an error, if the device sent one.
    pub diagnostic: Option<String>,
}

/// The content of an answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Content {
    /// None.
    None,
    /// The values at the path of a Read, Observe or active cancellation.
    Node(Node),
    /// The links of a Discover.
    Links(Vec<Link>),
    /// The path of the created instance, if the device told it.
    Created(Option<Path>),
}
