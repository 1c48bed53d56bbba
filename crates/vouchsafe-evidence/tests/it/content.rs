//! What a registry has: one image, and what is attached to it.

use crate::{
    mint::{self, BUNDLE, SIGN, Signer},
    server::{Asked, Reply},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vouchsafe_core::digest::Digest;

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Where everything is.
pub(crate) const BASE: &str = "/v2/team/agent";

/// How attached things are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    /// By the referrers API.
    Api,
    /// By the tag that stands in for it.
    Tag,
}

/// Answers by path; what is not there is 404.
#[derive(Clone)]
pub(crate) struct Content {
    /// The digest of the image.
    pub(crate) image: Digest,
    /// The bytes of its manifest.
    pub(crate) manifest: Vec<u8>,
    answers: BTreeMap<String, Reply>,
    referrers: Vec<Value>,
    serves: Serves,
}

impl Content {
    /// An image that nobody has signed.
    pub(crate) fn unsigned(serves: Serves) -> Self {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"{}"), "size": 2},
            "layers": [],
        });
        Self::of(serves, manifest.to_string().as_bytes())
    }

    /// Whatever is where the image's manifest should be.
    pub(crate) fn of(serves: Serves, manifest: &[u8]) -> Self {
        let mut content = Self {
            image: Digest::of(manifest),
            manifest: manifest.to_vec(),
            answers: BTreeMap::new(),
            referrers: Vec::new(),
            serves,
        };
        content.put_manifest(manifest);
        content.list();
        content
    }

    /// An image signed as cosign does today.
    pub(crate) fn signed(serves: Serves, signer: &Signer) -> Self {
        let mut content = Self::unsigned(serves);
        let bundle = signer.statement(&content.image.to_string(), SIGN);
        content.attach(&bundle);
        content
    }

    /// Attaches a bundle, and says where its manifest and its blob are.
    pub(crate) fn attach(&mut self, bundle: &Value) -> (String, String) {
        let (layer, blob) = self.put_blob(bundle.to_string().as_bytes(), BUNDLE);
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer]}).to_string();
        let digest = self.put_manifest(manifest.as_bytes());
        // As registries have it that take the type from the configuration.
        self.refer(json!({"mediaType": MANIFEST, "digest": digest, "size": manifest.len(), "artifactType": "application/vnd.oci.empty.v1+json"}));
        (format!("{BASE}/manifests/{digest}"), blob)
    }

    /// Lists something as attached.
    pub(crate) fn refer(&mut self, descriptor: Value) {
        self.referrers.push(descriptor);
        self.list();
    }

    /// Signs in the older form, once for each signature given, and says where the blob is.
    pub(crate) fn sign_older(&mut self, signatures: &[String], payload: &str) -> String {
        let (layer, blob) = self.put_blob(payload.as_bytes(), "application/vnd.dev.cosign.simplesigning.v1+json");
        let annotated = |signature: &String| {
            let mut layer = layer.clone();
            layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
            layer
        };
        let layers = signatures.iter().map(annotated).collect::<Vec<_>>();
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers}).to_string();
        self.answers.insert(self.older(), Reply::ok(MANIFEST, manifest));
        blob
    }

    /// Signs in the older form.
    pub(crate) fn signed_older(signer: &Signer) -> Self {
        let mut content = Self::unsigned(Serves::Api);
        let payload = mint::simple(&content.image.to_string()).to_string();
        content.sign_older(&[signer.sign(payload.as_bytes())], &payload);
        content
    }

    /// Answers otherwise at a path.
    pub(crate) fn answer(mut self, path: &str, reply: Reply) -> Self {
        self.answers.insert(path.to_owned(), reply);
        self
    }

    /// Where the image's manifest is.
    pub(crate) fn at_image(&self) -> String {
        format!("{BASE}/manifests/{}", self.image)
    }

    /// Where the referrers API is.
    pub(crate) fn api(&self) -> String {
        format!("{BASE}/referrers/{}", self.image)
    }

    /// Where the tag is that stands in for the referrers API.
    pub(crate) fn tag(&self) -> String {
        format!("{BASE}/manifests/sha256-{}", self.image.hex())
    }

    /// Where signatures of the older form are.
    pub(crate) fn older(&self) -> String {
        format!("{}.sig", self.tag())
    }

    /// What a registry answers.
    pub(crate) fn reply(&self, asked: &Asked) -> Reply {
        let path = asked.path.split('?').next().unwrap();
        self.answers.get(path).cloned().unwrap_or_else(|| Reply::status(404))
    }

    fn put_manifest(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.answers
            .insert(format!("{BASE}/manifests/{digest}"), Reply::ok(MANIFEST, bytes));
        digest
    }

    fn put_blob(&mut self, bytes: &[u8], kind: &str) -> (Value, String) {
        let digest = Digest::of(bytes);
        let path = format!("{BASE}/blobs/{digest}");
        self.answers
            .insert(path.clone(), Reply::ok("application/octet-stream", bytes));
        (json!({"mediaType": kind, "digest": digest, "size": bytes.len()}), path)
    }

    fn list(&mut self) {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.referrers}).to_string();
        match self.serves {
            Serves::Api => drop(self.answers.insert(self.api(), Reply::ok(INDEX, index))),
            Serves::Tag if self.referrers.is_empty() => {}
            Serves::Tag => drop(self.answers.insert(self.tag(), Reply::ok(INDEX, index))),
        }
    }
}
