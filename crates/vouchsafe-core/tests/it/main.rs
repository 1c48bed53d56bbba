//! The decision from outside: cases that read as the specification, and laws over inputs that nobody thought of.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed"
)]

mod any;
mod case;
mod cases;
mod laws;
