//! Endpoints on a virtual clock, against scripted messages and against each other.
#![allow(clippy::unwrap_used)]

mod attacks;
mod blockwise;
mod bodies;
mod counters;
mod extensions;
mod fairness;
mod freshness;
mod layers;
mod messages;
mod network;
mod observe;
mod pair;
mod parameters;
mod promises;
mod random;
mod rebinding;
mod refresh;
mod requests;
mod strangers;
mod stream;
mod streamed;
mod streams;
mod texts;
mod timers;
