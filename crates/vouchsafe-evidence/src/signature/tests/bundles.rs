//! Bundles: every form, and every part of it missing, changed or of another kind.

use super::*;
use crate::signature::mint::{self, BUNDLE, IN_TOTO, SIGN};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

#[test]
fn a_signature_by_any_supported_key_counts() {
    for signer in [Signer::p256(), Signer::p384(), Signer::rsa()] {
        let statement = signer.statement(&digest().to_string(), SIGN);
        assert_eq!(judge(statement.to_string().as_bytes(), &signer), signed(&signer));
        let message = signer.message(MANIFEST.as_bytes());
        assert_eq!(judge(message.to_string().as_bytes(), &signer), signed(&signer));
        let other = Signer::p256();
        assert_eq!(judge(statement.to_string().as_bytes(), &other), Finding::OtherKey);
        assert_eq!(judge(message.to_string().as_bytes(), &other), Finding::OtherKey);
    }
}

#[test]
fn of_several_keys_the_one_that_signed_is_named() {
    let (first, second) = (Signer::p256(), Signer::rsa());
    let authorities = [authority("a", &[&first, &second])];
    let keys = Keyring::new(&authorities);
    for signer in [&first, &second] {
        let bundle = signer.statement(&digest().to_string(), SIGN).to_string();
        assert_eq!(bundle::judge(bundle.as_bytes(), &image(), &keys), signed(signer));
    }
}

/// Each way to change a good bundle, and what it then is.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn no_part_of_a_bundle_may_be_missing_or_other() {
    let signer = Signer::p256();
    let malformed = Finding::Malformed;
    let unsupported = |what: &str| Finding::Unsupported(what.to_owned());
    let certificate = json!({"rawBytes": "AAAA"});
    let signature = signer.statement(&digest().to_string(), SIGN)["dsseEnvelope"]["signatures"][0].clone();
    for (pointer, value, expected) in [
        ("/mediaType", None, malformed("it is not a bundle")),
        ("/mediaType", Some(json!(3)), malformed("it is not a bundle")),
        ("/mediaType", Some(json!("")), unsupported("")),
        (
            "/mediaType",
            Some(json!("application/vnd.dev.sigstore.bundle.v0.4+json")),
            unsupported("application/vnd.dev.sigstore.bundle.v0.4+json"),
        ),
        (
            "/mediaType",
            Some(json!("application/vnd.dev.sigstore.bundle+json;version=0.1")),
            unsupported("application/vnd.dev.sigstore.bundle+json;version=0.1"),
        ),
        (
            "/mediaType",
            Some(json!("application/vnd.dev.sigstore.bundle+json;version=0.2")),
            unsupported("application/vnd.dev.sigstore.bundle+json;version=0.2"),
        ),
        (
            "/mediaType",
            Some(json!("application/vnd.dev.sigstore.bundle+json;version=0.3")),
            signed(&signer),
        ),
        ("/verificationMaterial", None, malformed("it is not a bundle")),
        (
            "/verificationMaterial",
            Some(json!(null)),
            malformed("it is not a bundle"),
        ),
        ("/verificationMaterial/publicKey", None, malformed("no key is named")),
        (
            "/verificationMaterial/publicKey",
            Some(json!(null)),
            malformed("no key is named"),
        ),
        ("/verificationMaterial/publicKey/hint", None, signed(&signer)),
        (
            "/verificationMaterial/publicKey/hint",
            Some(json!("of another key")),
            signed(&signer),
        ),
        (
            "/verificationMaterial/certificate",
            Some(certificate.clone()),
            malformed("both a key and a certificate are named"),
        ),
        (
            "/verificationMaterial/x509CertificateChain",
            Some(json!({"certificates": [certificate]})),
            malformed("both a key and a certificate are named"),
        ),
        (
            "/verificationMaterial",
            Some(json!({"certificate": certificate})),
            Finding::Certificate,
        ),
        (
            "/verificationMaterial",
            Some(json!({"x509CertificateChain": {"certificates": [certificate]}})),
            Finding::Certificate,
        ),
        // A log entry of another artifact neither helps nor harms: only the key is trusted (D26).
        (
            "/verificationMaterial/tlogEntries",
            Some(json!([{"logIndex": "1", "kindVersion": {"kind": "dsse", "version": "0.0.2"}}])),
            signed(&signer),
        ),
        ("/dsseEnvelope", None, malformed("nothing is signed")),
        ("/dsseEnvelope", Some(json!(null)), malformed("nothing is signed")),
        (
            "/messageSignature",
            Some(json!({"signature": ""})),
            malformed("two things are signed"),
        ),
        ("/dsseEnvelope/payload", None, malformed("it is not a bundle")),
        ("/dsseEnvelope/payload", Some(json!("")), Finding::OtherKey),
        (
            "/dsseEnvelope/payload",
            Some(json!("!")),
            malformed("its parts are not base64"),
        ),
        ("/dsseEnvelope/payloadType", None, malformed("it is not a bundle")),
        (
            "/dsseEnvelope/payloadType",
            Some(json!("application/json")),
            Finding::OtherKey,
        ),
        ("/dsseEnvelope/signatures", None, malformed("it is not a bundle")),
        (
            "/dsseEnvelope/signatures",
            Some(json!([])),
            malformed("an envelope must have one signature"),
        ),
        (
            "/dsseEnvelope/signatures",
            Some(json!([signature, signature])),
            malformed("an envelope must have one signature"),
        ),
        ("/dsseEnvelope/signatures/0/sig", None, malformed("it is not a bundle")),
        ("/dsseEnvelope/signatures/0/sig", Some(json!("")), Finding::OtherKey),
        ("/dsseEnvelope/signatures/0/sig", Some(json!("AAAA")), Finding::OtherKey),
        (
            "/dsseEnvelope/signatures/0/sig",
            Some(json!("not base64")),
            malformed("its parts are not base64"),
        ),
        ("/dsseEnvelope/signatures/0/keyid", None, signed(&signer)),
    ] {
        let mut bundle = signer.statement(&digest().to_string(), SIGN);
        change(&mut bundle, pointer, value.clone());
        assert_eq!(
            judge(bundle.to_string().as_bytes(), &signer),
            expected,
            "{pointer} {value:?}"
        );
    }
}

/// A trusted key signed it all the same: only what it says makes it a signature (D24, D25).
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn only_a_statement_that_this_image_is_signed_is_a_signature() {
    let signer = Signer::p256();
    let attestation = |kind: &str| Finding::Attestation(kind.to_owned());
    let statement = malformed_payload();
    let other = Digest::of(b"another").hex();
    for (pointer, value, expected) in [
        (
            "/predicateType",
            Some(json!("https://slsa.dev/provenance/v1")),
            attestation("https://slsa.dev/provenance/v1"),
        ),
        (
            "/predicateType",
            Some(json!("https://sigstore.dev/cosign/sign/v1 ")),
            attestation("https://sigstore.dev/cosign/sign/v1 "),
        ),
        ("/predicateType", Some(json!("")), attestation("")),
        ("/predicateType", None, statement.clone()),
        ("/predicateType", Some(json!([SIGN])), statement.clone()),
        (
            "/_type",
            Some(json!("https://in-toto.io/Statement/v0.1")),
            signed(&signer),
        ),
        (
            "/_type",
            Some(json!("https://in-toto.io/Statement/v2")),
            Finding::Unsupported("https://in-toto.io/Statement/v2".to_owned()),
        ),
        ("/_type", None, statement.clone()),
        ("/subject", None, statement.clone()),
        ("/subject", Some(json!([])), Finding::OtherImage),
        (
            "/subject/0",
            Some(json!({"digest": {"sha256": other}})),
            Finding::OtherImage,
        ),
        (
            "/subject/0",
            Some(json!({"name": "registry.example/agent", "digest": {}})),
            Finding::OtherImage,
        ),
        (
            "/subject/0",
            Some(json!({"digest": {"sha512": digest().hex()}})),
            Finding::OtherImage,
        ),
        (
            "/subject/0",
            Some(json!({"digest": {"sha256": digest().to_string()}})),
            Finding::OtherImage,
        ),
        (
            "/subject/0",
            Some(json!({"digest": {"sha256": digest().hex().to_uppercase()}})),
            Finding::OtherImage,
        ),
        (
            "/subject/0",
            Some(json!({"name": digest().to_string()})),
            statement.clone(),
        ),
        (
            "/subject/1",
            Some(json!({"digest": {"sha256": other}})),
            signed(&signer),
        ),
        ("/predicate", None, signed(&signer)),
    ] {
        let mut payload = mint::statement(&digest().to_string(), SIGN);
        change(&mut payload, pointer, value.clone());
        let bundle = signer.envelope(IN_TOTO, payload.to_string().as_bytes());
        assert_eq!(
            judge(bundle.to_string().as_bytes(), &signer),
            expected,
            "{pointer} {value:?}"
        );
    }
}

#[test]
fn payloads_that_are_no_statement_are_not_read_as_one() {
    let signer = Signer::p256();
    let good = mint::statement(&digest().to_string(), SIGN).to_string();
    let twice = good.replacen('{', r#"{"predicateType":"https://slsa.dev/provenance/v1","#, 1);
    let deep = good.replace(
        r#""predicate":{}"#,
        &format!(r#""predicate":{}{}"#, "[".repeat(100_000), "]".repeat(100_000)),
    );
    assert!(deep.len() > 200_000);
    for (kind, payload, expected) in [
        (IN_TOTO, "", malformed_payload()),
        (IN_TOTO, "null", malformed_payload()),
        (IN_TOTO, good.trim_end_matches('}'), malformed_payload()),
        (IN_TOTO, &format!("{good}{good}"), malformed_payload()),
        (IN_TOTO, &twice, malformed_payload()),
        (IN_TOTO, &deep, signed(&signer)),
        (
            "application/json",
            &good,
            Finding::Attestation("application/json".to_owned()),
        ),
        ("", &good, Finding::Attestation(String::new())),
    ] {
        let bundle = signer.envelope(kind, payload.as_bytes());
        let shown = payload.get(..80).unwrap_or(payload);
        assert_eq!(
            judge(bundle.to_string().as_bytes(), &signer),
            expected,
            "{kind} {shown}"
        );
    }
}

/// What is attached to other JSON says nothing about an image, whoever signed it.
#[test]
fn a_plain_signature_counts_over_an_image_only() {
    let signer = Signer::p256();
    let payload = mint::simple(&digest().to_string()).to_string();
    let authorities = [authority("release", &[&signer])];
    let image = Image {
        digest: Digest::of(payload.as_bytes()),
        manifest: None,
    };
    let bundle = signer.message(payload.as_bytes()).to_string();
    let finding = bundle::judge(bundle.as_bytes(), &image, &Keyring::new(&authorities));
    assert_eq!(finding, Finding::Malformed("what it is attached to is no image"));
    let over_digest = signer.message(digest().to_string().as_bytes()).to_string();
    assert_eq!(judge(over_digest.as_bytes(), &signer), Finding::OtherKey);
}

#[test]
fn deep_and_broken_json_is_malformed() {
    let signer = Signer::p256();
    for text in [
        "",
        "{",
        "[]",
        "null",
        "\u{0}",
        &"[".repeat(1 << 20),
        &r#"{"a":"#.repeat(1 << 18),
    ] {
        assert_eq!(
            judge(text.as_bytes(), &signer),
            Finding::Malformed("it is not a bundle")
        );
    }
    assert_eq!(judge(&[0xff, 0xfe], &signer), Finding::Malformed("it is not a bundle"));
}

fn malformed_payload() -> Finding {
    Finding::Malformed("its payload is not an in-toto statement")
}

/// Sets or removes what a JSON pointer names, in the parent that must be there.
fn change(document: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match (document.pointer_mut(parent).unwrap(), value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(name.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(name).unwrap()),
        (Value::Array(items), Some(value)) if name.parse() == Ok(items.len()) => items.push(value),
        (Value::Array(items), Some(value)) => items[name.parse::<usize>().unwrap()] = value,
        (other, value) => panic!("{pointer} {other} {value:?}"),
    }
}

static GOOD: LazyLock<(Signer, Vec<Value>)> = LazyLock::new(|| {
    let signer = Signer::p256();
    let bundles = vec![
        signer.statement(&digest().to_string(), SIGN),
        signer.message(MANIFEST.as_bytes()),
    ];
    (signer, bundles)
});

/// What a signature rests on.
fn essence(bundle: &Value) -> Vec<Value> {
    let parts = [
        "/dsseEnvelope/payload",
        "/dsseEnvelope/payloadType",
        "/dsseEnvelope/signatures/0/sig",
        "/dsseEnvelope/signatures/1",
        "/messageSignature/signature",
        "/verificationMaterial/certificate",
    ];
    parts
        .iter()
        .map(|part| bundle.pointer(part).cloned().unwrap_or_default())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// However a good bundle is damaged, it counts only while all that it rests on is untouched.
    #[test]
    fn damage_never_makes_a_signature(which in 0_usize..2, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let (signer, bundles) = &*GOOD;
        let good = &bundles[which];
        let mut bytes = good.to_string().into_bytes();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let finding = judge(&bytes, signer);
        if let Finding::Signed(key) = finding {
            let damaged = serde_json::from_slice::<Value>(&bytes).unwrap();
            prop_assert_eq!(essence(&damaged), essence(good));
            prop_assert!(damaged["mediaType"] == BUNDLE);
            prop_assert!(damaged.pointer("/verificationMaterial/publicKey").is_some());
            prop_assert_eq!(key, super::key(signer).fingerprint());
        }
    }
}
