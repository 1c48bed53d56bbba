//! Keys and the authorities that they stand for.
//!
//! Takes PEM, gives keys that verify. Touches nothing.

use sigstore_verify::{
    crypto::{KeyAlgorithm, SigningScheme, VerificationKey, validate_raw_public_key},
    types::{DerPublicKey, SignatureBytes},
};
use std::{collections::BTreeMap, fmt};
use vouchsafe_core::digest::Digest;

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not one PEM block `PUBLIC KEY`.
    #[error("it is not a public key in PEM (`-----BEGIN PUBLIC KEY-----`)")]
    Pem,
    /// It is a key of a kind that cannot be verified reliably, such as Ed25519 or P-521.
    #[error("unsupported kind of key ({0}); use ECDSA P-256 or P-384, or RSA from 2048 bits")]
    Unsupported(String),
}

/// A public key: ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    spki: DerPublicKey,
    schemes: &'static [SigningScheme],
}

impl PublicKey {
    /// Reads a key as `cosign public-key` and `openssl pkey -pubout` write it.
    ///
    /// # Errors
    /// When it is not such a key, or of an unsupported kind.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        // A second key would be left out silently.
        if pem.matches("-----BEGIN ").count() != 1 {
            return Err(KeyError::Pem);
        }
        let spki = DerPublicKey::from_pem(pem).map_err(|_| KeyError::Pem)?;
        let unsupported = |error: sigstore_verify::crypto::Error| KeyError::Unsupported(error.to_string());
        let schemes: &[SigningScheme] = match KeyAlgorithm::from_spki(&spki).map_err(unsupported)? {
            KeyAlgorithm::EcdsaP256 => &[SigningScheme::EcdsaP256Sha256],
            // Bundles hash with SHA-384, the older form always with SHA-256.
            KeyAlgorithm::EcdsaP384 => &[SigningScheme::EcdsaP384Sha384, SigningScheme::EcdsaP384Sha256],
            KeyAlgorithm::Rsa => &[SigningScheme::RsaPkcs1Sha256],
            other => return Err(KeyError::Unsupported(format!("{other:?}"))),
        };
        for scheme in schemes {
            let key = VerificationKey::from_spki_with_scheme(&spki, *scheme).map_err(unsupported)?;
            validate_raw_public_key(*scheme, key.as_bytes()).map_err(unsupported)?;
        }
        Ok(Self { spki, schemes })
    }

    /// The SHA-256 of the key's DER form, as `openssl pkey -pubin -outform DER | sha256sum` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(self.spki.as_bytes())
    }

    /// Whether this key signed these bytes.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = SignatureBytes::from_bytes(signature);
        self.schemes.iter().any(|scheme| {
            VerificationKey::from_spki_with_scheme(&self.spki, *scheme)
                .is_ok_and(|key| key.verify(message, &signature).is_ok())
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

/// Somebody whose signature counts: any one of the keys is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// What the check calls them.
    pub name: String,
    /// Their keys.
    pub keys: Vec<PublicKey>,
}

/// The keys of all authorities, each once, and whose they are.
pub(super) struct Keyring<'a> {
    keys: BTreeMap<Digest, (&'a PublicKey, Vec<&'a str>)>,
}

impl<'a> Keyring<'a> {
    pub(super) fn new(authorities: &'a [Authority]) -> Self {
        let mut keys = BTreeMap::new();
        for authority in authorities {
            for key in &authority.keys {
                let (_, names) = keys.entry(key.fingerprint()).or_insert_with(|| (key, Vec::new()));
                names.push(authority.name.as_str());
            }
        }
        Self { keys }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whose keys these are.
    pub(super) fn names(&self, key: &Digest) -> &[&'a str] {
        self.keys.get(key).map_or(&[], |(_, names)| names)
    }

    /// Which key signed these bytes. What a signature says about its key is a hint only, so all are tried.
    pub(super) fn signer(&self, message: &[u8], signature: &[u8]) -> Option<Digest> {
        self.keys
            .iter()
            .find(|(_, (key, _))| key.signed(message, signature))
            .map(|(fingerprint, _)| *fingerprint)
    }
}
