//! What is shown, each module one part of it.

mod chart;
mod grants;
mod ground;
mod kinds;
mod one_release;
mod operator;
mod registries;
mod story;
mod waivers;

use crate::suite::Case;

/// Every case.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        chart::cases(),
        grants::cases(),
        ground::cases(),
        kinds::cases(),
        one_release::cases(),
        operator::cases(),
        registries::cases(),
        story::cases(),
        waivers::cases(),
    ]
    .concat()
}
