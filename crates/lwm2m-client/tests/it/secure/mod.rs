//! Accounts with keys: sessions, what ends them, and what the client makes of it.

mod alerts;
mod harness;
mod modes;
mod sessions;
