//! What cosign 3.1.3 itself wrote, kept as it was: `cosign sign` and `attest` with a signing configuration without services, and
//! `cosign sign --new-bundle-format=false`. Public data only; the private keys are gone.

use super::*;
use crate::signature::simple;
use serde_json::Value;

macro_rules! kept {
    ($name:literal) => {
        (
            $name,
            serde_json::from_str::<Value>(include_str!(concat!("cosign/", $name, ".json"))).unwrap(),
        )
    };
}

fn judge(kept: &Value, manifest: &str) -> (Finding, Digest) {
    let text = |name: &str| kept[name].as_str().unwrap();
    let key = PublicKey::from_pem(text("key")).unwrap();
    let fingerprint = key.fingerprint();
    let authorities = [Authority {
        name: "release".to_owned(),
        keys: vec![key],
    }];
    let keys = Keyring::new(&authorities);
    let image = Image {
        digest: Digest::of(manifest.as_bytes()),
        manifest: Some(manifest.as_bytes()),
    };
    let finding = match kept.get("bundle") {
        Some(bundle) => bundle::judge(bundle.to_string().as_bytes(), &image, &keys),
        None => simple::judge(text("payload").as_bytes(), text("signature"), false, &image, &keys),
    };
    (finding, fingerprint)
}

#[test]
fn what_cosign_signs_is_signed() {
    for (name, kept) in [
        kept!("p256"),
        kept!("p384"),
        kept!("rsa"),
        kept!("older-p256"),
        kept!("older-p384"),
    ] {
        let manifest = kept["manifest"].as_str().unwrap();
        let (finding, key) = judge(&kept, manifest);
        assert_eq!(finding, Finding::Signed(key), "{name}");
        let (finding, _) = judge(&kept, MANIFEST);
        assert_eq!(finding, Finding::OtherImage, "{name}");
    }
}

/// `cosign verify --key` takes this for a signature.
#[test]
fn what_cosign_attests_is_not_signed() {
    let (_, kept) = kept!("attestation");
    let (finding, _) = judge(&kept, kept["manifest"].as_str().unwrap());
    assert_eq!(finding, Finding::Attestation("https://example.com/p".to_owned()));
}
