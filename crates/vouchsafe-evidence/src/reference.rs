//! Image references: which registry, which repository, which content.
//!
//! Takes what stands in a pod's `image` field, gives its parts, spelled the one way that may go into a URL. Touches nothing.
//! The grammar is that of the OCI distribution specification, the defaults are those of Kubernetes.

use std::{fmt, str::FromStr};
use vouchsafe_core::digest::{Digest, ParseDigestError};

/// Longer references are refused unread; the longest allowed name, tag and digest together are shorter.
const MAX_LENGTH: usize = 512;
/// The longest name, registry included, that the specification of references allows.
const MAX_NAME: usize = 255;
const DOCKER_HUB: &str = "docker.io";

/// Why a text is not a reference that counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It is longer than any reference can be.
    #[error("an image reference has at most {MAX_LENGTH} characters, this one has {0}")]
    TooLong(usize),
    /// There is no `@sha256:…`, so that it could mean something else tomorrow.
    #[error("`{0}` has no digest, and a tag can move")]
    NoDigest(String),
    /// What follows the `@` is not a SHA-256 digest.
    #[error("the digest of `{reference}` cannot be read")]
    Digest {
        /// The whole reference.
        reference: String,
        /// What is wrong with its digest.
        #[source]
        source: ParseDigestError,
    },
    /// The registry is not a host name or address with an optional port.
    #[error("`{0}` is not the name of a registry")]
    Registry(String),
    /// The repository is not lower-case path components.
    #[error("`{0}` is not the name of a repository")]
    Repository(String),
    /// The tag has characters that a tag may not have.
    #[error("`{0}` is not a tag")]
    Tag(String),
}

/// A repository in a registry. Both parts have been checked, so that they may stand in a URL as they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// The registry as references name it, in lower case, as `registry.example:5000`; `docker.io` for Docker Hub.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path within the registry, as `team/agent`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host, with its port, that serves this registry's API.
    #[must_use]
    pub fn host(&self) -> &str {
        if self.registry == DOCKER_HUB {
            "registry-1.docker.io"
        } else {
            &self.registry
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// Reads a name without tag and digest, with the defaults of Kubernetes: `docker.io`, and `library/` on it.
impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.len() > MAX_NAME {
            return Err(ReferenceError::TooLong(name.len()));
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if names_registry(first) => (first.to_ascii_lowercase(), rest),
            _ => (DOCKER_HUB.to_owned(), name),
        };
        let registry = if registry == "index.docker.io" {
            DOCKER_HUB.to_owned()
        } else {
            registry
        };
        let path = if registry == DOCKER_HUB && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        if !is_registry(&registry) {
            return Err(ReferenceError::Registry(registry));
        }
        if !path.split('/').all(is_component) {
            return Err(ReferenceError::Repository(path));
        }
        Ok(Self { registry, path })
    }
}

/// An image pinned by digest: `repository[:tag]@sha256:…`. A tag beside the digest is checked and ignored, as the kubelet does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    repository: Repository,
    digest: Digest,
}

impl ImageReference {
    /// Where it is.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// What it is: the digest of its manifest or index.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(reference: &str) -> Result<Self, Self::Err> {
        within_length(reference)?;
        let (name, digest) = reference
            .split_once('@')
            .ok_or_else(|| ReferenceError::NoDigest(reference.to_owned()))?;
        let digest = digest.parse().map_err(|source| ReferenceError::Digest {
            reference: reference.to_owned(),
            source,
        })?;
        let (repository, _) = repository_and_tag(name)?;
        Ok(Self { repository, digest })
    }
}

/// An image by tag: what a person writes before it is pinned. No tag means `latest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaggedReference {
    repository: Repository,
    tag: String,
}

impl TaggedReference {
    /// Where it is.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// What it is called today.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The same image, pinned.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> ImageReference {
        let repository = self.repository.clone();
        ImageReference { repository, digest }
    }
}

impl fmt::Display for TaggedReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

impl FromStr for TaggedReference {
    type Err = ReferenceError;

    fn from_str(reference: &str) -> Result<Self, Self::Err> {
        within_length(reference)?;
        let (repository, tag) = repository_and_tag(reference)?;
        let tag = tag.unwrap_or("latest").to_owned();
        Ok(Self { repository, tag })
    }
}

fn within_length(reference: &str) -> Result<(), ReferenceError> {
    if reference.len() > MAX_LENGTH {
        return Err(ReferenceError::TooLong(reference.len()));
    }
    Ok(())
}

fn repository_and_tag(text: &str) -> Result<(Repository, Option<&str>), ReferenceError> {
    match text.rsplit_once(':') {
        // A colon before a slash belongs to the registry's port.
        Some((name, tag)) if !tag.contains('/') => {
            if is_tag(tag) {
                Ok((name.parse()?, Some(tag)))
            } else {
                Err(ReferenceError::Tag(tag.to_owned()))
            }
        }
        _ => Ok((text.parse()?, None)),
    }
}

/// Whether the first component is a registry and not a part of a name on Docker Hub.
fn names_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// A host name, an IPv4 address, or an IPv6 address in brackets, with an optional port.
pub(crate) fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                return address.parse::<std::net::Ipv6Addr>().is_ok()
                    && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
            }
            None => return false,
        },
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    // What ends in a number is an address, and there is one way to write it.
    let numeric = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit()));
    host.split('.').all(is_label)
        && (!numeric || host.parse::<std::net::Ipv4Addr>().is_ok())
        && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, which lets neither `..` nor anything that a URL must escape through.
fn is_component(component: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let mut separator = String::new();
    let mut after_name = false;
    for byte in component.bytes() {
        if inner(byte) {
            separator.clear();
            after_name = true;
        } else if after_name && matches!(byte, b'.' | b'_' | b'-') {
            separator.push(char::from(byte));
            if !matches!(separator.as_str(), "." | "_" | "__") && separator.contains(['.', '_']) {
                return false;
            }
        } else {
            return false;
        }
    }
    after_name && separator.is_empty()
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn defaults_are_those_of_kubernetes() {
        for (written, registry, path, host) in [
            ("busybox", "docker.io", "library/busybox", "registry-1.docker.io"),
            ("team/agent", "docker.io", "team/agent", "registry-1.docker.io"),
            (
                "docker.io/busybox",
                "docker.io",
                "library/busybox",
                "registry-1.docker.io",
            ),
            ("index.docker.io/a/b", "docker.io", "a/b", "registry-1.docker.io"),
            ("localhost/agent", "localhost", "agent", "localhost"),
            ("localhost:5000/agent", "localhost:5000", "agent", "localhost:5000"),
            (
                "Registry.Example/agent",
                "registry.example",
                "agent",
                "registry.example",
            ),
            (
                "registry.example/agent:1.0",
                "registry.example",
                "agent",
                "registry.example",
            ),
            (
                "registry.example:5000/a/b:x",
                "registry.example:5000",
                "a/b",
                "registry.example:5000",
            ),
            ("[::1]:5000/agent", "[::1]:5000", "agent", "[::1]:5000"),
            ("ghcr.io/a__b/c-d/e--f.g_h", "ghcr.io", "a__b/c-d/e--f.g_h", "ghcr.io"),
        ] {
            let reference = format!("{written}@sha256:{HEX}").parse::<ImageReference>().unwrap();
            let repository = reference.repository();
            assert_eq!(
                (repository.registry(), repository.path(), repository.host()),
                (registry, path, host)
            );
            assert_eq!(reference.to_string(), format!("{registry}/{path}@sha256:{HEX}"));
            assert_eq!(reference.to_string().parse::<ImageReference>().unwrap(), reference);
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn what_is_not_a_pinned_reference_is_refused_for_its_reason() {
        let digest = format!("@sha256:{HEX}");
        let long = "a".repeat(600);
        for (written, reason) in [
            ("busybox:1.36", "`busybox:1.36` has no digest, and a tag can move"),
            ("busybox@sha512:00", "the digest of `busybox@sha512:00` cannot be read"),
            (&format!("busybox{digest}{digest}"), "the digest of"),
            (&digest, "`library/` is not the name of a repository"),
            (
                &format!("Busybox{digest}"),
                "`library/Busybox` is not the name of a repository",
            ),
            (
                &format!("registry.example/../secrets{digest}"),
                "`../secrets` is not the name of a repository",
            ),
            (&format!("registry.example/a/..{digest}"), "`a/..` is not"),
            (&format!("registry.example/a%2e%2e/b{digest}"), "`a%2e%2e/b` is not"),
            (&format!("registry.example/a#b{digest}"), "`a#b` is not"),
            (&format!("registry.example/a?b{digest}"), "`a?b` is not"),
            (&format!("registry.example/a//b{digest}"), "`a//b` is not"),
            (&format!("registry.example/a/{digest}"), "`a/` is not"),
            (&format!("registry.example/a___b{digest}"), "`a___b` is not"),
            (&format!("registry.example/a._b{digest}"), "`a._b` is not"),
            (&format!("registry.example/a-.b{digest}"), "`a-.b` is not"),
            (&format!("registry.example/-a{digest}"), "`-a` is not"),
            (&format!("registry.example/a-{digest}"), "`a-` is not"),
            (&format!("registry.example/a b{digest}"), "`a b` is not"),
            (
                &format!("registry.example/a\r\nb{digest}"),
                "is not the name of a repository",
            ),
            (
                &format!("registry..example/a{digest}"),
                "`registry..example` is not the name of a registry",
            ),
            (
                &format!("user:pass.word/a{digest}"),
                "`user:pass.word` is not the name of a registry",
            ),
            (
                &format!("registry.example:0/a{digest}"),
                "`registry.example:0` is not the name of a registry",
            ),
            (
                &format!("registry.example:99999/a{digest}"),
                "`registry.example:99999` is not",
            ),
            (
                &format!("registry.example:+80/a{digest}"),
                "`registry.example:+80` is not",
            ),
            (
                &format!("127.1:5000/a{digest}"),
                "`127.1:5000` is not the name of a registry",
            ),
            (
                &format!("2130706433:5000/a{digest}"),
                "`2130706433:5000` is not the name of a registry",
            ),
            (
                &format!("0x7f000001:5000/a{digest}"),
                "`0x7f000001:5000` is not the name of a registry",
            ),
            (
                &format!("0177.0.0.1/a{digest}"),
                "`0177.0.0.1` is not the name of a registry",
            ),
            (&format!("[::1/a{digest}"), "`[::1` is not the name of a registry"),
            (&format!("[::1]x/a{digest}"), "`[::1]x` is not the name of a registry"),
            (
                &format!("https://registry.example/a{digest}"),
                "`https:` is not the name of a registry",
            ),
            (&format!("registry.example/a:..{digest}"), "`..` is not a tag"),
            (&format!("registry.example/a:{digest}"), "`` is not a tag"),
            (&long, "an image reference has at most 512 characters, this one has 600"),
        ] {
            let error = written.parse::<ImageReference>().unwrap_err().to_string();
            assert!(error.contains(reason), "{written}: {error}");
        }
    }

    #[test]
    fn a_tag_is_read_and_pinned() {
        let tagged = "registry.example:5000/agent".parse::<TaggedReference>().unwrap();
        assert_eq!(tagged.to_string(), "registry.example:5000/agent:latest");
        let pinned = tagged.pinned(Digest::of(b""));
        assert_eq!(pinned.to_string(), format!("registry.example:5000/agent@sha256:{HEX}"));
        assert_eq!("a/b:1.0".parse::<TaggedReference>().unwrap().tag(), "1.0");
        assert!(format!("a@sha256:{HEX}").parse::<TaggedReference>().is_err());
    }

    proptest! {
        /// Whatever is accepted has nothing in it that would change the meaning of a URL.
        #[test]
        fn nothing_accepted_needs_escaping(text in "[a-zA-Z0-9.:/_%#?&@\\\\ \\-\\[\\]]{0,40}") {
            if let Ok(reference) = format!("{text}@sha256:{HEX}").parse::<ImageReference>() {
                let repository = reference.repository();
                prop_assert!(repository.path().bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/')));
                prop_assert!(!repository.path().split('/').any(|part| part.is_empty() || part.starts_with('.')));
                let uri = format!("https://{}/v2/{}/x", repository.host(), repository.path()).parse::<hyper::Uri>().unwrap();
                prop_assert_eq!(uri.authority().unwrap().as_str(), repository.host());
                let path = format!("/v2/{}/x", repository.path());
                prop_assert_eq!(uri.path(), path.as_str());
            }
        }
    }
}
