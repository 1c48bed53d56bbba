//! Free ports on the loopback interface.

use anyhow::{Context, Result};
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    net::{Ipv4Addr, TcpListener},
};

/// Below what Linux gives to outgoing connections, so that none of those can take the port before the server has it.
const FIRST: u16 = 20_000;
/// Ports to choose from.
const COUNT: u16 = 12_000;
/// Attempts before giving up.
const ATTEMPTS: usize = 200;

/// A port that nobody listens on now.
///
/// # Errors
/// When none was found.
pub fn free() -> Result<u16> {
    (0..ATTEMPTS)
        .map(|_| FIRST + random_below(COUNT))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("found no free port on the loopback interface")
}

/// The standard library seeds each hasher anew, which is chance enough for a port.
fn random_below(limit: u16) -> u16 {
    let value = RandomState::new().build_hasher().finish() % u64::from(limit);
    u16::try_from(value).unwrap_or_default()
}
