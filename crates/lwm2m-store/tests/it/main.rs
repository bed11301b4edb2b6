//! Stores and the thread that writes them, from outside.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod crash;
mod damage;
mod file;
mod model;
mod store;
mod writer;

use bytes::Bytes;
use lwm2m_link::{Record, Table};
use std::path::PathBuf;

const TABLE: Table = Table(7);

/// A record of [`TABLE`], or its end.
fn record(key: &str, value: Option<&str>) -> Record {
    let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), value.map(str::to_owned));
    Record { table: TABLE, key, value: value.map(Bytes::from) }
}

/// The name of a folder of a test's own, which is not there.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}
