//! The registries of a run: their addresses are chosen before the operator starts, because it must be told which may be spoken to
//! without TLS and on the loopback interface; each is started when it is first asked for.

use crate::{
    ports,
    registry::{Kind, Registry},
    tools::Tools,
    work::Work,
};
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::OnceCell;

/// Registries that single cases can have for themselves.
const SPARE: usize = 24;

/// All registries of a run.
#[derive(Debug)]
pub struct Registries {
    tools: Tools,
    referrers: (String, OnceCell<Registry>),
    distribution: (String, OnceCell<Registry>),
    spare: Vec<String>,
    taken: AtomicUsize,
}

impl Registries {
    /// Chooses addresses, and starts nothing.
    ///
    /// # Errors
    /// When there are no free ports.
    pub fn reserve(tools: &Tools) -> Result<Self> {
        let address = || ports::free().map(|port| format!("127.0.0.1:{port}"));
        Ok(Self {
            tools: tools.clone(),
            referrers: (address()?, OnceCell::new()),
            distribution: (address()?, OnceCell::new()),
            spare: (0..SPARE).map(|_| address()).collect::<Result<_>>()?,
            taken: AtomicUsize::new(0),
        })
    }

    /// Every address, for the operator's flags.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let shared = [&self.referrers.0, &self.distribution.0];
        shared.into_iter().chain(&self.spare).map(String::as_str)
    }

    /// The shared registry of a kind.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn shared(&self, kind: Kind, work: &Work) -> Result<&Registry> {
        let (address, registry) = match kind {
            Kind::Referrers => &self.referrers,
            Kind::Distribution => &self.distribution,
        };
        registry
            .get_or_try_init(|| Registry::start(kind, address, &self.tools, work))
            .await
    }

    /// An address that the operator may speak to, and where nothing listens: for a registry that is down, or one that lies.
    ///
    /// # Errors
    /// When all were given away.
    pub fn spare_address(&self) -> Result<&str> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let address = self.spare.get(number).map(String::as_str);
        address.with_context(|| format!("all {SPARE} spare addresses for registries were given away"))
    }

    /// A registry for one case alone.
    ///
    /// # Errors
    /// When it does not come up, or all addresses were given away.
    pub async fn own(&self, kind: Kind, work: &Work) -> Result<Registry> {
        Registry::start(kind, self.spare_address()?, &self.tools, work).await
    }
}
