//! The program as people and pipelines run it: what it prints and how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say by panicking what is wrong"
)]

#[path = "cli/adopt.rs"]
mod adopt;
#[path = "cli/attest.rs"]
mod attest;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/diff.rs"]
mod diff;
#[path = "cli/digest.rs"]
mod digest;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/invariants.rs"]
mod invariants;
#[path = "cli/pin.rs"]
mod pin;
#[path = "cli/program.rs"]
mod program;
#[path = "cli/words.rs"]
mod words;
