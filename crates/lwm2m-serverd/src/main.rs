//! The LwM2M server daemon.
fn main() {}
