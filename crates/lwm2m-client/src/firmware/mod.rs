//! Firmware Update, object 5 in the versions 1.0 and 1.1 (OMA LwM2M Core E.6): an image that a
//! server pushes goes block by block into a [`FirmwareStore`].
//!
//! The application installs the image when it learns of the Execute of `/5/0/2`
//! ([`Event::Executed`](crate::Event::Executed)), and then reports the outcome with
//! [`Firmware::finish_update`] inside of [`Client::update`](crate::Client::update). Pull
//! (`/5/0/1`) is not implemented: a URI ends in [`UpdateResult::UnsupportedProtocol`]. A push that falls silent
//! ends with [`Firmware::lose_download`], for which the application needs a timer.

mod object;
mod store;

pub use store::{FirmwareStore, StoreError};

use crate::error::Refusal;
use crate::objects::Block;

/// State (`/5/0/3`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// There is no image.
    Idle = 0,
    /// An image is arriving.
    Downloading = 1,
    /// The image is complete and valid; an Execute of `/5/0/2` installs it.
    Downloaded = 2,
    /// The application installs the image.
    Updating = 3,
}

/// Update Result (`/5/0/5`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum UpdateResult {
    /// Nothing has ended yet.
    Initial = 0,
    /// The new firmware runs.
    Success = 1,
    /// There is not enough storage for the image.
    NoStorage = 2,
    /// Memory ran out during the download.
    NoMemory = 3,
    /// The connection was lost during the download.
    ConnectionLost = 4,
    /// The integrity check of the image failed.
    Integrity = 5,
    /// The type of the package is not supported.
    UnsupportedType = 6,
    /// The URI of the image is not valid.
    InvalidUri = 7,
    /// The application could not install the image.
    UpdateFailed = 8,
    /// The protocol of the URI is not supported.
    UnsupportedProtocol = 9,
    /// The server cancelled the update (version 1.1).
    Cancelled = 10,
}

/// Object 5, with images in a store of the application.
#[derive(Debug)]
pub struct Firmware<S> {
    store: S,
    /// Whether the object is of version 1.1, and has the resource Cancel.
    cancellable: bool,
    max_size: u64,
    received: u64,
    /// The server whose image is arriving.
    from: Option<u16>,
    state: State,
    result: UpdateResult,
}

impl<S: FirmwareStore> Firmware<S> {
    /// Object 5 of version 1.0 in the state Idle, for images of at most `max_size` bytes.
    pub const fn new(store: S, max_size: u64) -> Self {
        let (state, result) = (State::Idle, UpdateResult::Initial);
        Self { store, cancellable: false, max_size, received: 0, from: None, state, result }
    }

    /// Makes this version 1.1, which has the resource Cancel (`/5/0/10`).
    #[must_use]
    pub const fn cancellable(mut self) -> Self {
        self.cancellable = true;
        self
    }

    /// Begins in this state with this result: after a reboot, with those from before or with what
    /// the installation has come to. A download does not go on after a reboot: it begins as lost.
    #[must_use]
    pub const fn resumed(mut self, state: State, result: UpdateResult) -> Self {
        (self.state, self.result) = match state {
            State::Downloading => (State::Idle, UpdateResult::ConnectionLost),
            _ => (state, result),
        };
        self
    }

    /// The state.
    pub const fn state(&self) -> State {
        self.state
    }

    /// The result.
    pub const fn result(&self) -> UpdateResult {
        self.result
    }

    /// The store with the image.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Ends an installation: with [`UpdateResult::Success`] and without an image, or with
    /// [`UpdateResult::UpdateFailed`] and the image, so that a server may try again. Without an
    /// installation under way, nothing changes.
    pub fn finish_update(&mut self, success: bool) {
        match (self.state, success) {
            (State::Updating, true) => self.reset(UpdateResult::Success),
            (State::Updating, false) => {
                (self.state, self.result) = (State::Downloaded, UpdateResult::UpdateFailed);
            }
            _ => {}
        }
    }

    /// Ends a download that has stopped, with [`UpdateResult::ConnectionLost`]. The application
    /// decides how long a server may be silent. Without a download under way, nothing changes.
    pub fn lose_download(&mut self) {
        if self.state == State::Downloading {
            self.reset(UpdateResult::ConnectionLost);
        }
    }

    /// Drops the image, and is idle.
    fn reset(&mut self, result: UpdateResult) {
        self.store.discard();
        (self.state, self.result, self.received) = (State::Idle, result, 0);
    }

    fn fail(&mut self, error: StoreError) -> Refusal {
        self.reset(error.result());
        Refusal::Internal
    }

    fn push(&mut self, block: Block<'_>) -> Result<(), Refusal> {
        if self.state == State::Updating {
            return Err(Refusal::MethodNotAllowed);
        }
        if block.offset == 0 {
            if !block.more && matches!(block.bytes, [] | [0]) {
                self.reset(UpdateResult::Initial);
                return Ok(());
            }
            self.begin(block.size)?;
            self.from = block.server;
        }
        let offset = u64::try_from(block.offset).map_err(|_| Refusal::BadRequest)?;
        // Of two servers that push at a time, the image is that of the one that began last.
        let follows = offset == self.received && block.server == self.from;
        if self.state != State::Downloading || !follows {
            return Err(Refusal::BadRequest);
        }
        let length = u64::try_from(block.bytes.len()).map_err(|_| Refusal::BadRequest)?;
        if length > self.max_size.saturating_sub(offset) {
            return Err(self.fail(StoreError::NoStorage));
        }
        self.store.write(offset, block.bytes).map_err(|error| self.fail(error))?;
        self.received = offset + length;
        if !block.more {
            self.complete();
        }
        Ok(())
    }

    fn begin(&mut self, size: Option<u64>) -> Result<(), Refusal> {
        self.reset(UpdateResult::Initial);
        if size.is_some_and(|size| size > self.max_size) {
            return Err(self.fail(StoreError::NoStorage));
        }
        self.store.begin(size).map_err(|error| self.fail(error))?;
        self.state = State::Downloading;
        Ok(())
    }

    /// The server has sent all of it: what is wrong with the image shows in the result alone.
    fn complete(&mut self) {
        match self.store.finish() {
            Ok(()) => self.state = State::Downloaded,
            Err(error) => self.reset(error.result()),
        }
    }

    fn set_uri(&mut self, uri: &str) -> Result<(), Refusal> {
        if self.state == State::Updating {
            return Err(Refusal::MethodNotAllowed);
        }
        self.reset(match uri.split_once("://") {
            _ if uri.is_empty() => UpdateResult::Initial,
            Some((scheme, rest)) if !scheme.is_empty() && !rest.is_empty() => {
                UpdateResult::UnsupportedProtocol
            }
            _ => UpdateResult::InvalidUri,
        });
        Ok(())
    }

    fn update(&mut self) -> Result<(), Refusal> {
        if self.state != State::Downloaded {
            return Err(Refusal::MethodNotAllowed);
        }
        (self.state, self.result) = (State::Updating, UpdateResult::Initial);
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), Refusal> {
        if !matches!(self.state, State::Downloading | State::Downloaded) {
            return Err(Refusal::MethodNotAllowed);
        }
        self.reset(UpdateResult::Cancelled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[derive(Default)]
    struct Flash(Vec<u8>);

    impl FirmwareStore for Flash {
        fn begin(&mut self, _: Option<u64>) -> Result<(), StoreError> {
            Ok(())
        }

        fn write(&mut self, _: u64, bytes: &[u8]) -> Result<(), StoreError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }

        fn finish(&mut self) -> Result<(), StoreError> {
            Ok(())
        }

        fn discard(&mut self) {
            self.0.clear();
        }
    }

    #[test]
    fn images_of_two_servers_are_not_mixed() {
        let mut firmware = Firmware::new(Flash::default(), 100);
        let mut push = |server, offset, bytes: &[u8], more| {
            let block = Block { offset, bytes, more, size: None, server: Some(server) };
            firmware.push(block)
        };
        assert_eq!(push(1, 0, b"aa", true), Ok(()));
        assert_eq!(push(2, 0, b"bb", true), Ok(()));
        assert_eq!(push(1, 2, b"aa", true), Err(Refusal::BadRequest));
        assert_eq!(push(2, 2, b"b", false), Ok(()));
        assert_eq!((firmware.state(), &firmware.store().0[..]), (State::Downloaded, &b"bbb"[..]));
    }
}
