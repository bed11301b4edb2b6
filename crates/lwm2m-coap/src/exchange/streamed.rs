//! Bodies of requests that the application takes block by block: RFC 7959 section 2.5, without the
//! assembly.

use super::bodies::Assembly;
use crate::message::{Code, Options};
use alloc::boxed::Box;
use core::fmt;

type Choose = dyn Fn(Code, &Options) -> bool + Send + Sync;

/// Which bodies are handed out block by block. Default: none.
#[derive(Default)]
pub(crate) struct Streaming(Option<Box<Choose>>);

impl Streaming {
    pub(crate) fn new(choose: impl Fn(Code, &Options) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(choose)))
    }

    pub(super) fn chooses(&self, code: Code, options: &Options) -> bool {
        self.0.as_ref().is_some_and(|choose| choose(code, options))
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Streaming").field(&self.0.is_some()).finish()
    }
}

/// A block that the application has been handed.
#[derive(Clone, Debug)]
pub(super) struct Streamed {
    /// The progress to keep if the application answers 2.31; `None` for the last block.
    pub(super) next: Option<Box<Assembly>>,
}
