//! Chance, where any will do: ports, and names that must not be those of another run.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

/// A number below the limit, or 0 when that is 0. The standard library seeds each hasher anew, which is chance enough here.
#[must_use]
pub fn below(limit: u16) -> u16 {
    let value = RandomState::new().build_hasher().finish();
    let value = value.checked_rem(u64::from(limit)).unwrap_or_default();
    u16::try_from(value).unwrap_or_default()
}
