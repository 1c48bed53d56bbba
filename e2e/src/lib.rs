//! Vouchsafe against a real API server: a control plane built from public Go modules, a runner for the cases of the suite, and the
//! means for the demo.
//!
//! Nothing here is part of the product. Servers listen on loopback only; what is started is stopped by its own process id.

pub mod attempt;
pub mod attempts;
pub mod authority;
pub mod await_;
pub mod bench;
pub mod cases;
pub mod chance;
pub mod chart;
pub mod checks;
pub mod cluster;
pub mod collector;
pub mod cosign;
pub mod counts;
pub mod demo;
pub mod everything;
pub mod example;
pub mod gitops;
pub mod helm;
pub mod images;
pub mod injector;
pub mod installed;
pub mod isolated;
pub mod kubeconfig;
pub mod manifest;
pub mod metrics;
pub mod on_node;
pub mod operator;
pub mod pods;
pub mod ports;
pub mod process;
pub mod product;
pub mod program;
pub mod registries;
pub mod registry;
pub mod service;
pub mod stage;
pub mod suite;
pub mod tools;
pub mod users;
pub mod web;
pub mod work;
pub mod workloads;

use std::path::Path;

/// The root of the checkout that this was built in.
#[must_use]
pub fn checkout() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}
