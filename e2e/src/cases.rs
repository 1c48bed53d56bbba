//! What is shown, each module one part of it.

mod ground;

use crate::suite::Case;

/// Every case.
#[must_use]
pub fn all() -> Vec<Case> {
    [ground::cases()].concat()
}
