//! The older form.

use super::*;
use crate::signature::{mint, simple};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

fn judge(payload: &str, signature: &str, keyless: bool, trusted: &Signer) -> Finding {
    let authorities = [authority("release", &[trusted])];
    simple::judge(
        payload.as_bytes(),
        signature,
        keyless,
        &image(),
        &Keyring::new(&authorities),
    )
}

#[test]
fn a_signature_by_any_supported_key_counts() {
    let payload = mint::simple(&digest().to_string()).to_string();
    for signer in [Signer::p256(), Signer::p384(), Signer::rsa()] {
        assert_eq!(
            judge(&payload, &signer.sign(payload.as_bytes()), false, &signer),
            signed(&signer)
        );
    }
}

#[test]
fn the_signed_payload_decides() {
    let signer = Signer::p256();
    let good = mint::simple(&digest().to_string());
    let with = |part: &str, value: serde_json::Value| {
        let mut payload = good.clone();
        payload["critical"][part] = value;
        payload.to_string()
    };
    let shape = || Finding::Malformed("its payload is not simple signing");
    for (payload, expected) in [
        (good.to_string(), signed(&signer)),
        (
            mint::simple(&Digest::of(b"another").to_string()).to_string(),
            Finding::OtherImage,
        ),
        (mint::simple(&digest().hex()).to_string(), Finding::OtherImage),
        (
            with("type", json!("cosign attestation")),
            Finding::Attestation("cosign attestation".to_owned()),
        ),
        (with("type", json!(null)), shape()),
        (with("image", json!({})), shape()),
        (mint::statement(&digest().to_string(), mint::SIGN).to_string(), shape()),
        (MANIFEST.to_owned(), shape()),
        (String::new(), shape()),
    ] {
        assert_eq!(
            judge(&payload, &signer.sign(payload.as_bytes()), false, &signer),
            expected,
            "{payload}"
        );
    }
}

#[test]
fn what_lies_beside_proves_nothing() {
    let (signer, other) = (Signer::p256(), Signer::p256());
    let payload = mint::simple(&digest().to_string()).to_string();
    let good = signer.sign(payload.as_bytes());
    for (signature, keyless, expected) in [
        (good.clone(), true, signed(&signer)),
        (format!("{good}\n"), false, signed(&signer)),
        (other.sign(payload.as_bytes()), false, Finding::OtherKey),
        (other.sign(payload.as_bytes()), true, Finding::Certificate),
        (signer.sign(digest().to_string().as_bytes()), false, Finding::OtherKey),
        (STANDARD.encode(""), false, Finding::OtherKey),
        ("?".to_owned(), false, Finding::Malformed("its parts are not base64")),
    ] {
        assert_eq!(judge(&payload, &signature, keyless, &signer), expected, "{signature}");
    }
}
