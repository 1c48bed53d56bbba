//! What refers to an image (OCI distribution specification 1.1): the referrers API, or the tag that stands in for it.
//!
//! Takes a digest, gives descriptors of what may be signatures, the likely ones first. What a registry says about their kind is only
//! used for that order: registries misreport it.

use super::{
    Descriptor, Manifest, RegistryError, Session,
    exchange::{Answer, Ask},
    target::Target,
};
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{self, HeaderValue},
};
use vouchsafe_core::digest::Digest;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The family of media types of Sigstore bundles.
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";

/// What cosign notes beside a bundle.
const CONTENT: &str = "dev.sigstore.bundle.content";
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";
/// The predicate type of an image signature.
pub(crate) const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Referrers {
    /// At most as many as may be read.
    pub(crate) descriptors: Vec<Descriptor>,
    /// Whether there are more, which were not looked at.
    pub(crate) more: bool,
}

impl Session<'_> {
    /// What refers to `image`; nothing when the registry says that there is nothing.
    pub(crate) async fn referrers(&mut self, image: Digest) -> Result<Referrers, RegistryError> {
        let mut found = Collected::new(self.candidates());
        let mut target = self.target(&format!("referrers/{image}"))?;
        for page in 0..self.reader.connections.settings.pages {
            let Some(answer) = self.page(target.clone(), page == 0).await? else {
                let tagged = self.tagged(format!("sha256-{}", image.hex())).await;
                return match tagged {
                    Ok(index) => Ok(found.with(index)),
                    Err(RegistryError::NotThere { .. }) => Ok(Referrers::default()),
                    Err(error) => Err(error),
                };
            };
            found.add(self.parse(&answer.body, "the list of referrers")?);
            match next(&target, &answer.headers)? {
                Some(_) if found.is_full() => break,
                Some(next) => target = next,
                None => return Ok(found.done()),
            }
        }
        found.more = true;
        Ok(found.done())
    }

    /// One page; none when the registry does not serve the API, which only the first page can tell.
    async fn page(&mut self, target: Target, first: bool) -> Result<Option<Answer>, RegistryError> {
        let ask = Ask {
            method: Method::GET,
            accept: INDEX,
            authorization: None,
            form: None,
            limit: self.reader.connections.settings.manifest_bytes,
            what: "the list of referrers",
        };
        match self.get(target, ask).await {
            Err(RegistryError::NotThere { .. }) if first => Ok(None),
            Err(error) => Err(error),
            // Some registries answer unknown paths with another error, or with a page for people.
            Ok((answer, ask)) => match answer.status {
                StatusCode::OK if is_index(&answer.headers) => Ok(Some(answer)),
                StatusCode::OK
                | StatusCode::BAD_REQUEST
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::NOT_ACCEPTABLE
                    if first =>
                {
                    Ok(None)
                }
                _ => Err(answer.unexpected(&ask)),
            },
        }
    }
}

/// Keeps the likely apart from the unlikely, so that neither noise nor many attestations crowd out a signature that says what it is.
struct Collected {
    limit: usize,
    by_rank: [Vec<Descriptor>; 4],
    more: bool,
}

impl Collected {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            by_rank: Default::default(),
            more: false,
        }
    }

    fn add(&mut self, index: Manifest) {
        for descriptor in index.into_manifests() {
            match self.by_rank.get_mut(rank(&descriptor)) {
                Some(list) if list.len() < self.limit => list.push(descriptor),
                _ => self.more = true,
            }
        }
    }

    fn with(mut self, index: Manifest) -> Referrers {
        self.add(index);
        self.done()
    }

    fn is_full(&self) -> bool {
        self.by_rank.first().is_some_and(|likely| likely.len() >= self.limit)
    }

    fn done(self) -> Referrers {
        let mut descriptors = self.by_rank.concat();
        let more = self.more || descriptors.len() > self.limit;
        descriptors.truncate(self.limit);
        Referrers { descriptors, more }
    }
}

/// How unlikely it is that this is a signature. Everything it rests on is unsigned, so that it orders and excludes nothing.
fn rank(descriptor: &Descriptor) -> usize {
    let note = |name: &str| descriptor.annotations.as_ref().and_then(|notes| notes.get(name));
    let is_bundle = note(CONTENT).is_some()
        || descriptor
            .artifact_type
            .as_deref()
            .is_some_and(|kind| kind.starts_with(BUNDLE));
    match (note(PREDICATE).map(String::as_str), is_bundle) {
        (Some(SIGNATURE), _) => 0,
        (None, true) => 1,
        (Some(_), _) => 2,
        (None, false) => 3,
    }
}

fn is_index(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map_or(b"".as_slice(), HeaderValue::as_bytes);
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(INDEX.as_bytes())
}

/// The next page (RFC 8288), which must be on the same host.
fn next(page: &Target, headers: &HeaderMap) -> Result<Option<Target>, RegistryError> {
    let links = headers
        .get_all(header::LINK)
        .iter()
        .filter_map(|link| link.to_str().ok());
    let Some(link) = links.flat_map(|links| links.split(',')).find_map(next_of) else {
        return Ok(None);
    };
    let wrong = |problem| RegistryError::Redirect {
        host: page.place().to_owned(),
        target: super::error::cut(link),
        problem,
    };
    let next = page.join(link).map_err(wrong)?;
    if next.is_same_place(page) {
        Ok(Some(next))
    } else {
        Err(wrong("the next page must be on the same host"))
    }
}

fn next_of(link: &str) -> Option<&str> {
    let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| {
        parameter
            .split_once('=')
            .is_some_and(|(name, value)| name.trim() == "rel" && value.trim().trim_matches('"') == "next")
    };
    parameters.split(';').any(is_next).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_next_page_is_on_the_same_host_or_an_error() {
        let page = Target::read("https://registry.example/v2/a/referrers/x").unwrap();
        for (links, expected) in [
            (vec![], Ok(None)),
            (
                vec!["</v2/a/referrers/x?last=1>; rel=\"next\""],
                Ok(Some("https://registry.example/v2/a/referrers/x?last=1")),
            ),
            (
                vec!["<?last=1>;rel=next"],
                Ok(Some("https://registry.example/v2/a/referrers/x?last=1")),
            ),
            (
                vec!["<https://registry.example/p>; rel=\"prev\", <https://registry.example/n>; foo; rel=\"next\""],
                Ok(Some("https://registry.example/n")),
            ),
            (vec!["</p>; rel=prev"], Ok(None)),
            (vec!["/no-brackets; rel=next"], Ok(None)),
            (
                vec!["<https://other.example/n>; rel=next"],
                Err("the next page must be on the same host"),
            ),
            (
                vec!["<http://registry.example/n>; rel=next"],
                Err("the next page must be on the same host"),
            ),
            (
                vec!["<//other.example/n>; rel=next"],
                Err("the next page must be on the same host"),
            ),
            (vec!["<ftp://x>; rel=next"], Err("that is not an HTTP URL")),
        ] {
            let mut headers = HeaderMap::new();
            for link in &links {
                headers.append(header::LINK, link.parse().unwrap());
            }
            let found = match next(&page, &headers) {
                Ok(target) => Ok(target.map(|target| target.uri().to_string())),
                Err(RegistryError::Redirect { problem, .. }) => Err(problem),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(found, expected.map(|url| url.map(str::to_owned)), "{links:?}");
        }
    }

    #[test]
    fn noise_cannot_crowd_out_what_says_that_it_is_a_signature() {
        let page = |count, entry: serde_json::Value| {
            let manifests = vec![entry; count];
            serde_json::from_value::<Manifest>(serde_json::json!({"manifests": manifests})).unwrap()
        };
        let noise = json!({"digest": "noise", "size": 1, "artifactType": "application/spdx+json"});
        let attestation = json!({"digest": "attestation", "size": 1, "artifactType": BUNDLE, "annotations": {CONTENT: "dsse-envelope", PREDICATE: "https://slsa.dev/provenance/v1"}});
        let bundle = json!({"digest": "bundle", "size": 1, "artifactType": format!("{BUNDLE}.v0.3+json")});
        // As a registry that misreports the type has it.
        let signature = json!({"digest": "signature", "size": 1, "artifactType": "application/vnd.oci.empty.v1+json", "annotations": {CONTENT: "dsse-envelope", PREDICATE: SIGNATURE}});
        let mut found = Collected::new(3);
        found.add(page(100, noise));
        found.add(page(100, attestation));
        found.add(page(1, bundle));
        assert!(!found.is_full());
        found.add(page(1, signature.clone()));
        let referrers = found.done();
        let digests = referrers
            .descriptors
            .iter()
            .map(|descriptor| descriptor.digest.as_str());
        assert_eq!(digests.collect::<Vec<_>>(), ["signature", "bundle", "attestation"]);
        assert!(referrers.more);
        let mut found = Collected::new(3);
        found.add(page(3, signature));
        assert!(found.is_full() && !found.more && !found.done().more);
    }
}
