//! What the operator's flags say about registries.
//!
//! Takes and gives plain values; their defaults are the documented ones.

use crate::reference::is_registry;
use std::{collections::BTreeMap, time::Duration};

/// Limits, and what is special about some registries. Tenants have no say in any of it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The largest manifest, index or page of referrers, in bytes. 4 MiB, which is what registries accept.
    pub manifest_bytes: usize,
    /// The largest bundle or signature payload, in bytes. 1 MiB.
    pub blob_bytes: usize,
    /// The largest answer of a token service, in bytes. 64 KiB.
    pub token_bytes: usize,
    /// How many pages of referrers are read. 20.
    pub pages: usize,
    /// How many redirects of one request are followed. 5.
    pub redirects: usize,
    /// How many possible signatures of one image are read. 64.
    pub candidates: usize,
    /// How long one request may take, redirects included. 15 s.
    pub request: Duration,
    /// How long everything about one image may take. 60 s.
    pub total: Duration,
    /// Registries that are not reached by the defaults, by the name that image references use, as `registry.example:5000`.
    pub registries: BTreeMap<String, RegistryOptions>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 << 20,
            blob_bytes: 1 << 20,
            token_bytes: 64 << 10,
            pages: 20,
            redirects: 5,
            candidates: 64,
            request: Duration::from_secs(15),
            total: Duration::from_secs(60),
            registries: BTreeMap::new(),
        }
    }
}

/// What is special about one registry, or about one host that a registry redirects to.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// It is spoken to without TLS; its token service may then be without TLS too, on the same host and port.
    pub plain_http: bool,
    /// It may have a loopback, link-local, private or otherwise unroutable address.
    pub private_addresses: bool,
    /// Certificates (PEM) that its certificate must lead to, *instead of* the system's.
    pub ca: Option<Vec<u8>>,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A registry is not named as image references name it.
    #[error("`{0}` is not the name of a registry (`host` or `host:port`, in lower case)")]
    Name(String),
    /// A registry's certificates are not PEM, or there are none.
    #[error("the certificates for the registry `{0}` cannot be read")]
    Certificates(String),
    /// The TLS library does not take its configuration.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

impl Settings {
    /// Refuses names that no image reference could ever have.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let wrong = |name: &&String| !is_registry(name) || name.to_ascii_lowercase() != **name;
        match self.registries.keys().find(wrong) {
            Some(name) => Err(SettingsError::Name(name.clone())),
            None => Ok(()),
        }
    }
}
