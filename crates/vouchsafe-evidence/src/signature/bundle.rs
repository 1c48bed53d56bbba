//! Sigstore bundles, version 0.3, signed by key.
//!
//! Takes the bytes of a bundle, of the image's manifest, and keys; gives a [`Finding`]. Pure. Two forms are a signature: a DSSE
//! envelope around an in-toto statement of cosign's own predicate type that names the image's digest, and a plain signature over the
//! manifest's bytes. The statement inside the envelope counts, never the notes around it.

use super::{finding::Finding, key::Keyring};
use crate::{json, registry::SIGNATURE};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::IgnoredAny};
use sigstore_verify::types::pae;
use std::collections::BTreeMap;
use vouchsafe_core::digest::Digest;

/// The media types of version 0.3, in both spellings of the specification.
const VERSION_0_3: [&str; 2] = [
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
];
const IN_TOTO: &str = "application/vnd.in-toto+json";
const STATEMENTS: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Option<Envelope>,
    message_signature: Option<Message>,
}

/// Log entries and timestamps are not read: a key is trusted without them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Option<IgnoredAny>,
    certificate: Option<IgnoredAny>,
    #[serde(rename = "x509CertificateChain")]
    chain: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
}

#[derive(Deserialize)]
struct Message {
    signature: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

/// The image as it is named and as it is.
pub(super) struct Image<'a> {
    /// The digest that was asked for.
    pub(super) digest: Digest,
    /// The bytes of its manifest, if they are a manifest or index indeed.
    pub(super) manifest: Option<&'a [u8]>,
}

/// Judges one bundle.
pub(super) fn judge(bytes: &[u8], image: &Image<'_>, keys: &Keyring<'_>) -> Finding {
    // What is not read further down must be text all the same.
    if std::str::from_utf8(bytes).is_err() {
        return Finding::Malformed("it is not a bundle");
    }
    let Ok(bundle) = json::object::<Bundle>(bytes) else {
        return unreadable(bytes);
    };
    if !VERSION_0_3.contains(&bundle.media_type.as_str()) {
        return Finding::Unsupported(short(&bundle.media_type));
    }
    let material = bundle.verification_material;
    match (material.public_key, material.certificate.or(material.chain)) {
        (Some(_), None) => {}
        (None, Some(_)) => return Finding::Certificate,
        (None, None) => return Finding::Malformed("no key is named"),
        (Some(_), Some(_)) => return Finding::Malformed("both a key and a certificate are named"),
    }
    match (bundle.dsse_envelope, bundle.message_signature) {
        (Some(envelope), None) => of_envelope(&envelope, image, keys),
        (None, Some(message)) => of_message(&message, image, keys),
        (None, None) => Finding::Malformed("nothing is signed"),
        (Some(_), Some(_)) => Finding::Malformed("two things are signed"),
    }
}

/// Tells a version that we do not know from a broken bundle.
fn unreadable(bytes: &[u8]) -> Finding {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        media_type: String,
    }
    match json::object::<Version>(bytes) {
        Ok(version) if !VERSION_0_3.contains(&version.media_type.as_str()) => {
            Finding::Unsupported(short(&version.media_type))
        }
        _ => Finding::Malformed("it is not a bundle"),
    }
}

fn of_envelope(envelope: &Envelope, image: &Image<'_>, keys: &Keyring<'_>) -> Finding {
    let [signature] = envelope.signatures.as_slice() else {
        return Finding::Malformed("an envelope must have one signature");
    };
    let (Ok(payload), Ok(signature)) = (STANDARD.decode(&envelope.payload), STANDARD.decode(&signature.sig)) else {
        return Finding::Malformed("its parts are not base64");
    };
    match keys.signer(&pae(&envelope.payload_type, &payload), &signature) {
        None => Finding::OtherKey,
        Some(_) if envelope.payload_type != IN_TOTO => Finding::Attestation(short(&envelope.payload_type)),
        Some(key) => of_statement(&payload, image, key),
    }
}

/// A statement that a trusted key signed.
fn of_statement(payload: &[u8], image: &Image<'_>, key: Digest) -> Finding {
    let Ok(statement) = json::object::<Statement>(payload) else {
        return Finding::Malformed("its payload is not an in-toto statement");
    };
    if !STATEMENTS.contains(&statement.kind.as_str()) {
        return Finding::Unsupported(short(&statement.kind));
    }
    if statement.predicate_type != SIGNATURE {
        return Finding::Attestation(short(&statement.predicate_type));
    }
    let hex = image.digest.hex();
    let names = |subject: &Subject| subject.digest.get("sha256").is_some_and(|digest| *digest == hex);
    if statement.subject.iter().any(names) {
        Finding::Signed(key)
    } else {
        Finding::OtherImage
    }
}

fn of_message(message: &Message, image: &Image<'_>, keys: &Keyring<'_>) -> Finding {
    let Ok(signature) = STANDARD.decode(&message.signature) else {
        return Finding::Malformed("its parts are not base64");
    };
    // Whoever signs other JSON, or a payload of the older form, has not signed an image.
    let Some(manifest) = image.manifest else {
        return Finding::Malformed("what it is attached to is no image");
    };
    keys.signer(manifest, &signature)
        .map_or(Finding::OtherKey, Finding::Signed)
}

/// What a stranger wrote, short enough for a status.
pub(super) fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
