//! Events on their way to many streams.
//!
//! ```text
//! engine --broadcast--> hub --frames--> batch --Arc--> queue of each stream --> HTTP body
//! ```
//! - One task, the hub, writes each event as a frame, once, and only if some stream wants it.
//! - Frames that come close together are one [`batch`], which all streams share: a stream then
//!   costs one wake-up and one write a batch, however many events there are.
//! - Each stream has a [`queue`], bounded in events and bytes. When it is full, the stream misses the
//!   oldest events; the
//!   hub never waits for a stream, and the engine never for the hub.

mod batch;
mod frame;
mod hub;
mod queue;
mod selection;

pub(crate) use frame::{lagged, replayed};
pub(crate) use hub::Hub;
pub(crate) use queue::{Delivery, Limits, Queue};
pub(crate) use selection::{Devices, KINDS, Selection};
