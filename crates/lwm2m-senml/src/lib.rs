//! SenML (RFC 8428) as JSON and CBOR: zero-copy records and writers
