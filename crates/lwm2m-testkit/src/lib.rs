//! Test tools of the workspace: virtual-clock pairs, a seeded lossy network, real peers

pub mod peer;
