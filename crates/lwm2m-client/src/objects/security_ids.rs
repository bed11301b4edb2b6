//! The resources of object 0, LwM2M Security (OMA LwM2M Core, Appendix E.1).

pub(crate) const ID: u16 = 0;
pub(crate) const URI: u16 = 0;
pub(crate) const BOOTSTRAP: u16 = 1;
pub(crate) const MODE: u16 = 2;
pub(crate) const PUBLIC_KEY: u16 = 3;
pub(crate) const SERVER_KEY: u16 = 4;
pub(crate) const SECRET_KEY: u16 = 5;
pub(crate) const SHORT_SERVER_ID: u16 = 10;
pub(crate) const HOLD_OFF: u16 = 11;
pub(crate) const ACCOUNT_TIMEOUT: u16 = 12;
pub(crate) const MATCHING_TYPE: u16 = 13;
pub(crate) const SNI: u16 = 14;
pub(crate) const CERTIFICATE_USAGE: u16 = 15;
pub(crate) const CIPHER_SUITES: u16 = 16;
pub(crate) const OSCORE: u16 = 17;
