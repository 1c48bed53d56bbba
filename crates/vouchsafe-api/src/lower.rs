//! From what people write to what core judges by.
//!
//! Takes the typed objects, gives core's values, always: what cannot be used is left out, and said in a problem that names the object
//! and the field. Decides nothing.

mod agent;
mod check;
mod environment;
mod fact;
mod promotion;
mod words;

pub use self::{
    agent::agent,
    check::check,
    environment::{Catalogue, policy},
    fact::{approval, evidence, person, waiver},
    promotion::{ReleaseError, past, promotion, seen, surface},
};

use crate::conditions::Reason;
use std::fmt;

/// Something in an object that cannot be used as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The object, as `Kind/name`.
    pub object: String,
    /// The field, as `spec.after[0].environment`.
    pub field: String,
    /// What is wrong with it, a sentence without its full stop.
    pub message: String,
    /// The stable word for it.
    pub reason: Reason,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.object, self.field, self.message)
    }
}
