//! Keys: which are taken, and what is said of the others.

use super::*;
use crate::signature::KeyError;

const ED25519: &str = "MCowBQYDK2VwAyEAYvd459ElMyJv8TZNUszhuO+0hn+hKJEz6fpMWDVR6VQ=";
const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDfqi87N/pPxPfuj1XzCG4om4uqzjwe/l+S+f1cq4ecahbz4hcXis9EjmDTHHe1cLbxkscFQiLWleOwbqP2sSf0GPHjh4qHXBzUac43wOOfFvLAwcctVhjBzvOgQTtncWxGDaVwacIxluD0y834Xec+nRWxfjgccXcc8yb0WB9hTwIDAQAB";
const P521: &str = "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBRcYcL4aL1Yxz8ur7F6kJyTrQoUukA+nK/BHL6TjLjMOx1oD79wP2Lbcobd4ua5rlXAdwIOKfF6Xsir5GtGigtiQBUeSdpfOV5WkQ7EBB/9qinaJ6dXfPULOdji1Ri0hSUbtWrWfSyjHjIkJtNDGoGw4Tq+5H4cjAMdv1th1uVlWDGPg=";
const SECP256K1: &str = "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEcO+pCKGN/CMK0TcheWPk5RBqRvC3wuWeLkj81BdtY37SHhClWYTcI7xzcucKDc88WuULeO71pcOPHBYwlQXY5Q==";

fn pem(label: &str, base64: &str) -> String {
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

#[test]
fn other_kinds_of_keys_are_unsupported_and_not_invalid() {
    for (key, reason) in [
        (ED25519, "Ed25519"),
        (RSA_1024, "RSA key size 1024 bits"),
        (P521, "unsupported or invalid EC curve"),
        (SECP256K1, "unsupported or invalid EC curve"),
        ("AAAA", "Invalid SPKI"),
    ] {
        let error = PublicKey::from_pem(&pem("PUBLIC KEY", key)).unwrap_err();
        assert!(
            matches!(&error, KeyError::Unsupported(why) if why.contains(reason)),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("use ECDSA P-256 or P-384, or RSA from 2048 bits"),
            "{error}"
        );
    }
}

#[test]
fn only_one_public_key_in_pem_is_read() {
    let good = Signer::p256().pem();
    let two = format!("{good}{}", Signer::p256().pem());
    for text in [
        "",
        "x",
        &two,
        &pem("CERTIFICATE", "AAAA"),
        &good.replace("PUBLIC", "PRIVATE"),
        &good.replace("END", "FIN"),
    ] {
        assert_eq!(PublicKey::from_pem(text).unwrap_err(), KeyError::Pem, "{text}");
    }
    assert_eq!(
        PublicKey::from_pem(&format!("\n\n{good}\n")).unwrap(),
        PublicKey::from_pem(&good).unwrap()
    );
}

#[test]
fn a_key_of_two_authorities_is_one_key_with_two_names() {
    let (shared, own) = (Signer::p256(), Signer::p256());
    let authorities = [authority("a", &[&shared]), authority("b", &[&own, &shared])];
    let keys = Keyring::new(&authorities);
    assert_eq!(keys.len(), 2);
    assert_eq!(keys.names(&key(&shared).fingerprint()), ["a", "b"]);
    assert_eq!(keys.names(&key(&own).fingerprint()), ["b"]);
    assert!(keys.names(&digest()).is_empty());
}
