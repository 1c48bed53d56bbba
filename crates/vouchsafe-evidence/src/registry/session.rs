//! Everything that is asked about one repository for one namespace, within one deadline.
//!
//! Takes a repository and its login, gives manifests and blobs with the digest that was asked for. A token lives as long as the
//! session, and no session is shared.

use super::{
    Connections, Manifest, RegistryError, challenge,
    exchange::{Answer, Ask, send},
    target::Target,
    token::Reader,
};
use crate::{credentials::Login, json, reference::Repository};
use bytes::Bytes;
use hyper::{Method, StatusCode, header::HeaderValue};
use tokio::time::Instant;
use vouchsafe_core::digest::Digest;

/// Manifests and indexes, of both families.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Which manifest is meant.
pub(super) enum Version {
    /// The one with this digest.
    Digest(Digest),
    /// The one that a tag points at. Its grammar has been checked.
    Tag(String),
}

/// A conversation with one repository.
pub(crate) struct Session<'c> {
    pub(super) reader: Reader<'c>,
    authorization: Option<HeaderValue>,
}

impl<'c> Session<'c> {
    pub(super) fn new(connections: &'c Connections, repository: &'c Repository, login: Option<&'c Login>) -> Self {
        let deadline = Instant::now() + connections.settings.total;
        let reader = Reader {
            connections,
            repository,
            login,
            deadline,
        };
        Self {
            reader,
            authorization: None,
        }
    }

    /// How many possible signatures may be read.
    pub(crate) fn candidates(&self) -> usize {
        self.reader.connections.settings.candidates
    }

    /// A manifest or index by its digest.
    pub(crate) async fn manifest(&mut self, digest: Digest) -> Result<Bytes, RegistryError> {
        self.version(&Version::Digest(digest)).await
    }

    /// A manifest or index by tag, parsed.
    pub(crate) async fn tagged(&mut self, tag: String) -> Result<Manifest, RegistryError> {
        let bytes = self.version(&Version::Tag(tag.clone())).await?;
        self.parse(&bytes, &format!("the manifest `{tag}`"))
    }

    /// A manifest or index; when asked for by digest it has that digest.
    pub(super) async fn version(&mut self, version: &Version) -> Result<Bytes, RegistryError> {
        let name = match version {
            Version::Digest(digest) => digest.to_string(),
            Version::Tag(tag) => tag.clone(),
        };
        let what = format!("the manifest `{name}`");
        let limit = self.reader.connections.settings.manifest_bytes;
        let bytes = self.content(&format!("manifests/{name}"), &what, limit).await?;
        match version {
            Version::Digest(digest) => self.with_digest(bytes, *digest, what),
            Version::Tag(_) => Ok(bytes),
        }
    }

    /// A blob of the declared size, at most the settings' limit.
    pub(crate) async fn blob(&mut self, digest: Digest, size: u64) -> Result<Bytes, RegistryError> {
        let what = format!("the blob `{digest}`");
        let most = self.reader.connections.settings.blob_bytes;
        let limit = usize::try_from(size).unwrap_or(usize::MAX);
        if limit > most {
            let host = self.reader.repository.host().to_owned();
            return Err(RegistryError::TooLarge {
                host,
                what,
                limit: most,
            });
        }
        let bytes = self.content(&format!("blobs/{digest}"), &what, limit).await?;
        self.with_digest(bytes, digest, what)
    }

    /// JSON that is to be a manifest or index.
    pub(crate) fn parse(&self, bytes: &[u8], what: &str) -> Result<Manifest, RegistryError> {
        json::object(bytes).map_err(|source| RegistryError::Malformed {
            host: self.reader.repository.host().to_owned(),
            what: what.to_owned(),
            source,
        })
    }

    fn with_digest(&self, bytes: Bytes, digest: Digest, what: String) -> Result<Bytes, RegistryError> {
        if Digest::of(&bytes) == digest {
            return Ok(bytes);
        }
        let host = self.reader.repository.host().to_owned();
        Err(RegistryError::Digest { host, what })
    }

    async fn content(&mut self, path: &str, what: &str, limit: usize) -> Result<Bytes, RegistryError> {
        let target = self.target(path)?;
        let ask = Ask {
            method: Method::GET,
            accept: if path.starts_with("manifests/") {
                MANIFESTS
            } else {
                "*/*"
            },
            authorization: None,
            form: None,
            limit,
            what,
        };
        let (answer, ask) = self.get(target, ask).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            _ => Err(answer.unexpected(&ask)),
        }
    }

    /// The URL of something in this repository. `path` must be made of checked parts.
    pub(super) fn target(&self, path: &str) -> Result<Target, RegistryError> {
        let repository = self.reader.repository;
        let path = format!("/v2/{}/{path}", repository.path());
        let target = self.reader.connections.registry(repository.host(), &path);
        target.map_err(|problem| RegistryError::Redirect {
            host: repository.host().to_owned(),
            target: path,
            problem,
        })
    }

    /// Asks, and logs in when the registry itself wants that.
    pub(super) async fn get<'a>(
        &mut self,
        target: Target,
        mut ask: Ask<'a>,
    ) -> Result<(Answer, Ask<'a>), RegistryError> {
        let (connections, deadline) = (self.reader.connections, self.reader.deadline);
        ask.authorization = self.authorization.clone();
        let mut answer = send(connections, target.clone(), &ask, deadline).await?;
        // Whoever a redirect leads to has no say in where our credentials go.
        if answer.status == StatusCode::UNAUTHORIZED && answer.target.is_same_place(&target) {
            let challenge = challenge::read(&answer.headers);
            let authorization = self.reader.authorize(&target, challenge).await?;
            self.authorization = Some(authorization);
            ask.authorization = self.authorization.clone();
            answer = send(connections, target, &ask, deadline).await?;
        }
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.reader.refused(&answer.target, answer.status.as_u16()))
            }
            _ => Ok((answer, ask)),
        }
    }
}
