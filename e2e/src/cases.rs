//! What is shown, each module one part of it.

mod ground;
mod kinds;
mod registries;

use crate::suite::Case;

/// Every case.
#[must_use]
pub fn all() -> Vec<Case> {
    [ground::cases(), kinds::cases(), registries::cases()].concat()
}
