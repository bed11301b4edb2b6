//! The `lwm2m` command.
fn main() {}
