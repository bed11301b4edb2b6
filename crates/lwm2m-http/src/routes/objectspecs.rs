//! `/api/objectspecs/{ep}`: the definitions of the objects that a device has.

pub(crate) async fn list() {}
