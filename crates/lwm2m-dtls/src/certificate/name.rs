//! Names of certificates and requests: RFC 5280 section 4.1.2.4.

use der::asn1::Any;
use der::oid::ObjectIdentifier;
use der::{Sequence, ValueOrd};

/// The attribute type commonName: RFC 5280 appendix A.1.
pub(super) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// AttributeTypeAndValue.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Sequence, ValueOrd)]
pub(super) struct NameAttribute {
    pub(super) kind: ObjectIdentifier,
    pub(super) value: Any,
}
