//! Durable storage for engines: what they want kept, in order, and what is there after a crash.
//!
//! An engine says what it wants kept as [`Write`](lwm2m_link::Write)s. The driver pushes them to a
//! [`Writer`], a thread that owns a [`Store`], and tells the engine how far it has come. A store is one
//! ordered map: the key of a record is its table and its key in that table, its value is bytes. What is
//! in them is the engine's business.
//!
//! | module | what |
//! |---|---|
//! | `store` | what a store is; [`Reader`], which reads beside the writer |
//! | `memory` | [`MemoryStore`]: a store that ends with the process |
//! | `file` | [`FileStore`]: a store in a file, its backups (feature `redb`) |
//! | `inspect` | what is in a store, by table |
//! | `writer` | [`Writer`]: the thread; group commit, retries |
//! | `changes` | [`Changes`]: what one commit takes |
//! | `error` | [`StoreError`]: what went wrong, and what to do |
//!
//! ```
//! use lwm2m_link::{Lsn, Record, Table, Write};
//! use lwm2m_store::{MemoryStore, Pace, Progress, Writer};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let mut writer = Writer::start(MemoryStore::default(), Pace::default())?;
//! let (table, key) = (Table(1), "urn:dev:1".into());
//! let record = Record { table, key, value: Some("registered".into()) };
//! writer.push(Write { lsn: Lsn(1), record, keep_last: None, promised: true });
//! assert_eq!(writer.next().await, Progress::Written(Lsn(1)));
//! assert_eq!(writer.reader().get(table, b"urn:dev:1")?.as_deref(), Some(&b"registered"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod changes;
mod error;
#[cfg(feature = "redb")]
mod file;
mod inspect;
mod memory;
mod store;
mod writer;

pub use changes::{Changes, Key};
pub use error::StoreError;
#[cfg(feature = "redb")]
pub use file::{FileStore, backup, open_to_read, restore};
pub use inspect::{Inspection, Tally, inspect};
pub use memory::MemoryStore;
pub use store::{Read, Reader, Records, Store};
pub use writer::{Commits, Durability, NotDurable, Pace, Progress, Writer};
