//! The older form: cosign's simple signing, a payload with its signature beside it.
//!
//! Takes a payload and the signature from the annotation, gives a [`Finding`]. Pure. The annotation is only where the signature is
//! kept; everything that decides is in the signed payload.

use super::{
    bundle::{Image, short},
    finding::Finding,
    key::Keyring,
};
use crate::json;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// The media type of a payload.
pub(super) const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Where a signature is kept.
pub(super) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// Where a certificate is kept.
pub(super) const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const KIND: &str = "cosign container image signature";

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Content,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Judges one payload; `keyless` when a certificate lies beside it.
pub(super) fn judge(payload: &[u8], signature: &str, keyless: bool, image: &Image<'_>, keys: &Keyring<'_>) -> Finding {
    let Ok(signature) = STANDARD.decode(signature.trim()) else {
        return Finding::Malformed("its parts are not base64");
    };
    let Some(key) = keys.signer(payload, &signature) else {
        return if keyless {
            Finding::Certificate
        } else {
            Finding::OtherKey
        };
    };
    let Ok(payload) = json::object::<Payload>(payload) else {
        return Finding::Malformed("its payload is not simple signing");
    };
    if payload.critical.kind != KIND {
        return Finding::Attestation(short(&payload.critical.kind));
    }
    if payload.critical.image.digest == image.digest.to_string() {
        Finding::Signed(key)
    } else {
        Finding::OtherImage
    }
}
