//! Integration tests of the registry.

mod checks;
mod facts;
mod layers;
#[cfg(feature = "xml")]
mod xml;
