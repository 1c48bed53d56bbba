//! The decision: what an agent is, what is known of it, and whether it may enter.
//!
//! Takes plain values and gives plain values. It must not touch Kubernetes clients, clocks, the environment, files or the network.
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests compare files with what is made")
)]

pub mod cel;
pub mod clearance;
pub mod conditions;
pub mod decision;
pub mod digest;
pub mod evidence;
pub mod surface;
