//! What is a signature, what is not, and why.

mod bundles;
mod cosign;
mod keys;
mod older;
mod reports;

use super::{
    Authority, PublicKey,
    bundle::{self, Image},
    finding::Finding,
    key::Keyring,
    mint::Signer,
};
use vouchsafe_core::digest::Digest;

/// An image manifest.
const MANIFEST: &str = r#"{"schemaVersion":2,"config":{"digest":"sha256:0","size":1},"layers":[]}"#;

fn digest() -> Digest {
    Digest::of(MANIFEST.as_bytes())
}

fn image() -> Image<'static> {
    Image {
        digest: digest(),
        manifest: Some(MANIFEST.as_bytes()),
    }
}

fn key(signer: &Signer) -> PublicKey {
    PublicKey::from_pem(&signer.pem()).unwrap()
}

fn authority(name: &str, signers: &[&Signer]) -> Authority {
    Authority {
        name: name.to_owned(),
        keys: signers.iter().map(|signer| key(signer)).collect(),
    }
}

fn signed(signer: &Signer) -> Finding {
    Finding::Signed(key(signer).fingerprint())
}

/// Judges a bundle with one key trusted.
fn judge(bundle: &[u8], trusted: &Signer) -> Finding {
    let authorities = [authority("release", &[trusted])];
    bundle::judge(bundle, &image(), &Keyring::new(&authorities))
}
