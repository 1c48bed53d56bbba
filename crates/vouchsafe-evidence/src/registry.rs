//! A client for OCI registries that trusts none of them.
//!
//! Takes references and one namespace's credentials; gives bytes whose digest was recomputed, or a reason. Every answer is bounded in
//! bytes, pages, redirects and time. Credentials go to the registry they are for and to the token service that it names over TLS,
//! nowhere else. Addresses inside the cluster or the machine are refused after resolving, unless the operator's settings allow that
//! registry. It must not verify signatures, cache, or retry: the caller does, and is told when.

mod address;
mod challenge;
mod connection;
mod error;
mod exchange;
mod manifest;
mod referrers;
mod session;
mod settings;
mod target;
mod token;

pub use error::RegistryError;
pub use settings::{RegistryOptions, Settings, SettingsError};

pub(crate) use manifest::{Descriptor, Manifest};
pub(crate) use referrers::{BUNDLE, SIGNATURE};
pub(crate) use session::Session;

use crate::{
    credentials::Credentials,
    reference::{ImageReference, Repository, TaggedReference},
};
use connection::Connections;
use session::Version;
use std::sync::Arc;
use vouchsafe_core::digest::Digest;

/// Reads registries. Cheap to clone; holds connections, never credentials.
#[derive(Clone)]
pub struct Client {
    connections: Arc<Connections>,
}

impl Client {
    /// A client with these limits and registries.
    ///
    /// # Errors
    /// When a registry's name or certificates cannot be read.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let connections = Arc::new(Connections::new(settings)?);
        Ok(Self { connections })
    }

    /// The bytes of a manifest or index, which have the digest of the reference.
    ///
    /// # Errors
    /// [`RegistryError::NotThere`] when the registry says that it has no such thing; anything else means that it is not known.
    pub async fn manifest(
        &self,
        image: &ImageReference,
        credentials: &Credentials,
    ) -> Result<bytes::Bytes, RegistryError> {
        let mut session = self.session(image.repository(), credentials);
        session.manifest(image.digest()).await
    }

    /// What a tag points at now, computed from the content and not taken from a header.
    ///
    /// # Errors
    /// As for [`Client::manifest`].
    pub async fn resolve(
        &self,
        image: &TaggedReference,
        credentials: &Credentials,
    ) -> Result<ImageReference, RegistryError> {
        let mut session = self.session(image.repository(), credentials);
        let manifest = session.version(&Version::Tag(image.tag().to_owned())).await?;
        Ok(image.pinned(Digest::of(&manifest)))
    }

    pub(crate) fn session<'c>(&'c self, repository: &'c Repository, credentials: &'c Credentials) -> Session<'c> {
        Session::new(&self.connections, repository, credentials.login(repository))
    }
}
