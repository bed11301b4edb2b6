//! Payloads against the samples of OMA, round trips, and hostile input.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod answers;
mod composite;
mod create;
mod golden;
mod hostile;
mod lwm2m_cbor;
mod model;
mod oma_json;
mod quirks;
mod registry;
mod root;
mod roundtrip;
mod senml;
mod single;
mod tlv;
