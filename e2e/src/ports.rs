//! Free ports on the loopback interface.

use crate::chance;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpListener};

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
        .map(|_| FIRST + chance::below(COUNT))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("found no free port on the loopback interface")
}
