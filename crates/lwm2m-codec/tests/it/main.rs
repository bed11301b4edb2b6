//! Payloads against the samples of OMA, round trips, and hostile input.

mod create;
mod golden;
mod hostile;
mod model;
mod roundtrip;
mod senml;
mod single;
mod tlv;
