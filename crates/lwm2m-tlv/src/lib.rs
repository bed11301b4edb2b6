//! The OMA LwM2M TLV format: a zero-copy reader and a writer
