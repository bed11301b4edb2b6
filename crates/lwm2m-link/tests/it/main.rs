//! Two links whose datagrams and streams are secured, on a virtual clock.

mod bed;
mod datagrams;
mod strangers;
mod streams;
