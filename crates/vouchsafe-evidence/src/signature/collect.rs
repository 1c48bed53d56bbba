//! Finding what may be signatures of an image, and having each judged.
//!
//! Takes a client and a reference, gives a report. Reads what refers to the image, then the older `.sig` tag; stops when every key
//! was found, at the limits, or when the registry wants to be left alone.

use super::{
    Authority, SignatureReport,
    bundle::{self, Image},
    finding::Finding,
    key::Keyring,
    report::{Search, Trouble},
    simple,
};
use crate::{
    credentials::Credentials,
    reference::ImageReference,
    registry::{BUNDLE, Client, Descriptor, RegistryError, Session},
};
use vouchsafe_core::digest::Digest;

/// Who has signed exactly the named digest, which may be that of an index.
///
/// Never fails: what could not be read is part of the report. Makes at most about 200 requests, one after the other, within the
/// client's overall deadline.
pub async fn image_signatures(
    client: &Client,
    image: &ImageReference,
    credentials: &Credentials,
    authorities: &[Authority],
) -> SignatureReport {
    let keys = Keyring::new(authorities);
    let mut session = client.session(image.repository(), credentials);
    let mut search = Search::default();
    match session.manifest(image.digest()).await {
        Ok(manifest) => {
            let image = Image {
                digest: image.digest(),
                manifest: session
                    .parse(&manifest, "the manifest of the image")
                    .is_ok_and(|manifest| manifest.is_image())
                    .then_some(manifest.as_ref()),
            };
            let mut collecting = Collecting {
                session,
                image,
                keys: &keys,
                search: &mut search,
            };
            collecting.referrers().await;
            collecting.older().await;
        }
        Err(RegistryError::NotThere { .. }) => search.absent = true,
        Err(error) => search.trouble(Trouble::Registry(error)),
    }
    search.report(authorities, &keys)
}

struct Collecting<'c, 's> {
    session: Session<'c>,
    image: Image<'s>,
    keys: &'s Keyring<'s>,
    search: &'s mut Search,
}

impl Collecting<'_, '_> {
    async fn referrers(&mut self) {
        let mut left = self.session.candidates();
        let referrers = match self.session.referrers(self.image.digest).await {
            Ok(referrers) => referrers,
            Err(error) => return self.search.trouble(Trouble::Registry(error)),
        };
        for referrer in &referrers.descriptors {
            for layer in self.layers_of(referrer).await {
                if self.search.is_over(self.keys) {
                    return;
                }
                if left == 0 {
                    return self.search.trouble(Trouble::More);
                }
                left -= 1;
                if let Some(bytes) = self.blob(&layer).await {
                    self.search.add(bundle::judge(&bytes, &self.image, self.keys));
                }
            }
        }
        if referrers.more {
            self.search.trouble(Trouble::More);
        }
    }

    /// The layers of a referrer that are bundles, whatever the referrer says about itself.
    async fn layers_of(&mut self, referrer: &Descriptor) -> Vec<Descriptor> {
        if self.search.is_over(self.keys) {
            return Vec::new();
        }
        let Some(digest) = self.digest_of(referrer) else {
            return Vec::new();
        };
        let manifest = self.session.manifest(digest).await;
        let Some(manifest) = self.there(manifest) else {
            return Vec::new();
        };
        match self.session.parse(&manifest, "a referrer") {
            Ok(manifest) => {
                let mut layers = manifest.into_layers();
                layers.retain(|layer| layer.media_type.starts_with(BUNDLE));
                layers
            }
            Err(_) => {
                self.search.add(Finding::Malformed("its manifest cannot be read"));
                Vec::new()
            }
        }
    }

    /// Signatures as cosign kept them before it wrote bundles.
    async fn older(&mut self) {
        if self.search.is_over(self.keys) {
            return;
        }
        let tagged = self
            .session
            .tagged(format!("sha256-{}.sig", self.image.digest.hex()))
            .await;
        let Some(manifest) = self.there(tagged) else { return };
        let mut left = self.session.candidates();
        for layer in manifest.into_layers() {
            if layer.media_type != simple::PAYLOAD || self.search.is_over(self.keys) {
                continue;
            }
            if left == 0 {
                return self.search.trouble(Trouble::More);
            }
            left -= 1;
            self.payload(&layer).await;
        }
    }

    async fn payload(&mut self, layer: &Descriptor) {
        let note = |name: &str| layer.annotations.as_ref().and_then(|notes| notes.get(name));
        let Some(signature) = note(simple::SIGNATURE) else {
            return self.search.add(Finding::Malformed("there is no signature beside it"));
        };
        let keyless = note(simple::CERTIFICATE).is_some();
        if let Some(payload) = self.blob(layer).await {
            let finding = simple::judge(&payload, signature, keyless, &self.image, self.keys);
            self.search.add(finding);
        }
    }

    async fn blob(&mut self, descriptor: &Descriptor) -> Option<bytes::Bytes> {
        let digest = self.digest_of(descriptor)?;
        let blob = self.session.blob(digest, descriptor.size).await;
        self.there(blob)
    }

    fn digest_of(&mut self, descriptor: &Descriptor) -> Option<Digest> {
        match descriptor.digest.parse() {
            Ok(digest) => Some(digest),
            Err(_) => {
                self.search.add(Finding::Unsupported(bundle::short(&descriptor.digest)));
                None
            }
        }
    }

    /// What is not there is no signature; what cannot be read is trouble.
    fn there<T>(&mut self, result: Result<T, RegistryError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(RegistryError::NotThere { .. }) => None,
            Err(error) => {
                self.search.trouble(Trouble::Registry(error));
                None
            }
        }
    }
}
