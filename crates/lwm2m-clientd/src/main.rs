//! The LwM2M client daemon.
fn main() {}
