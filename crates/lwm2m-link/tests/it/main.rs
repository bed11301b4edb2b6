//! Two links whose datagrams and streams are secured, on a virtual clock.

mod datagrams;
mod durable;
mod harness;
mod rebind;
mod renewing;
mod shares;
mod strangers;
mod streams;
