//! Records: headers, protection and the replay window. They know nothing of handshakes.

mod additional_data;
mod cbc;
mod ccm;
mod ct_hmac;
pub(crate) mod header;
pub(crate) mod keys;
pub(crate) mod protection;
pub(crate) mod stream;
pub(crate) mod window;
