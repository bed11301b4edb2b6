//! Giving up an operation whose caller has gone, wherever the operation is: in the queue of the
//! engine, on its way to the device, or answered.
//!
//! The caller and the engine's thread share a [`Cancellation`]. Whatever happens first, exactly one
//! of them ends an operation that is given up: the engine if the caller went before the operation
//! began, else the caller. `tests/it/races.rs` checks all interleavings.

use crate::sync::{Arc, Mutex};
use std::sync::PoisonError;

/// What a caller and the engine's thread know of one operation. `T` is the name of the operation.
#[derive(Debug)]
pub(crate) struct Cancellation<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
enum State<T> {
    /// The engine has not begun the operation.
    Queued,
    /// The engine has begun it.
    Begun(T),
    /// The caller has gone.
    Abandoned,
}

impl<T> Clone for Cancellation<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Copy> Cancellation<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::Queued)))
    }

    /// The engine has begun the operation. Returns `false` if the caller has gone: the engine then
    /// ends the operation at once.
    #[must_use]
    pub(crate) fn begin(&self, id: T) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = !matches!(*state, State::Abandoned);
        if waits {
            *state = State::Begun(id);
        }
        waits
    }

    /// Whether the caller has gone, so that the engine need not begin the operation.
    pub(crate) fn is_abandoned(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Abandoned)
    }

    /// The caller goes. Returns the operation that it has to end, if the engine has begun it.
    #[must_use]
    pub(crate) fn abandon(&self) -> Option<T> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Abandoned) {
            State::Begun(id) => Some(id),
            State::Queued | State::Abandoned => None,
        }
    }
}
