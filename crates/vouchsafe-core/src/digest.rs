//! SHA-256 digests, as written everywhere in Vouchsafe.
//!
//! Takes bytes or JSON, gives a [`Digest`]; a whole surface's digest is a [`ReleaseDigest`]. Knows nothing of what is hashed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{fmt, io, str::FromStr};

/// How a text failed to be a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    /// The `sha256:` (or `v1:sha256:`) in front is missing.
    #[error("`{0}` does not start with `{1}`")]
    Prefix(String, &'static str),
    /// What follows is not 64 lower-case hexadecimal digits.
    #[error("`{0}` is not 64 lower-case hexadecimal digits")]
    Hex(String),
}

/// A SHA-256 digest, written `sha256:<64 lower-case hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a JSON value in its canonical form (RFC 8785), hashed as it is written.
    ///
    /// A value read by `serde_json` has a canonical form always; should writing fail all the same, the digest is of the error's
    /// text under a prefix that no canonical form starts with, so that it equals nothing else.
    #[must_use]
    pub fn of_json(value: &Value) -> Self {
        let mut writer = Hashing(Sha256::new());
        match serde_json_canonicalizer::to_writer(value, &mut writer) {
            Ok(()) => Self(writer.0.finalize().into()),
            Err(error) => Self::of(format!("not canonical: {error}").as_bytes()),
        }
    }

    /// The 64 hexadecimal digits alone.
    #[must_use]
    pub fn hex(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(nibble), 16));
            }
        }
        text
    }
}

struct Hashing(Sha256);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text
            .strip_prefix("sha256:")
            .ok_or_else(|| ParseDigestError::Prefix(text.to_owned(), "sha256:"))?;
        let wrong = || ParseDigestError::Hex(hex.to_owned());
        if hex.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0_u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = pair
                .iter()
                .try_fold(0, |high, digit| Some(high << 4 | nibble(*digit)?))
                .ok_or_else(wrong)?;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The digest of a whole surface, written `v1:sha256:<64 hex>`; the version names the rules it was made by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ReleaseDigest(Digest);

impl ReleaseDigest {
    /// The digest of a surface's canonical form, by the rules of version 1.
    #[must_use]
    pub fn v1(digest: Digest) -> Self {
        Self(digest)
    }

    /// The digest without its version.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0
    }

    /// The first 32 hexadecimal digits: 128 bits, which nobody can collide on purpose.
    #[must_use]
    pub fn short(&self) -> String {
        let mut hex = self.0.hex();
        hex.truncate(32);
        hex
    }

    /// The only name that a Promotion of this release of `agent` may have: `<agent>-<32 hex>`.
    #[must_use]
    pub fn promotion_name(&self, agent: &str) -> String {
        format!("{agent}-{}", self.short())
    }
}

impl fmt::Display for ReleaseDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1:{}", self.0)
    }
}

impl fmt::Debug for ReleaseDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ReleaseDigest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digest = text
            .strip_prefix("v1:")
            .ok_or_else(|| ParseDigestError::Prefix(text.to_owned(), "v1:"))?;
        digest.parse().map(Self)
    }
}

impl From<ReleaseDigest> for String {
    fn from(digest: ReleaseDigest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for ReleaseDigest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_is_written_and_read() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse::<Digest>().unwrap(), Digest::of(b""));
        assert_eq!(serde_json::to_value(Digest::of(b"")).unwrap(), json!(EMPTY));
        let release = format!("v1:{EMPTY}").parse::<ReleaseDigest>().unwrap();
        assert_eq!(
            release.promotion_name("refund"),
            "refund-e3b0c44298fc1c149afbf4c8996fb924"
        );
        assert_eq!(
            serde_json::from_value::<ReleaseDigest>(json!(release.to_string())).unwrap(),
            release
        );
    }

    #[test]
    fn only_the_exact_form_is_read() {
        for wrong in [
            "",
            "sha256:",
            "e3b0",
            &EMPTY.to_uppercase(),
            &EMPTY.replace("sha256", "sha512"),
            &format!("{EMPTY}0"),
            &EMPTY.replace('e', "g"),
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
        assert!(EMPTY.parse::<ReleaseDigest>().is_err());
        assert!(format!("v2:{EMPTY}").parse::<ReleaseDigest>().is_err());
    }

    #[test]
    fn json_is_hashed_in_canonical_form() {
        assert_eq!(
            Digest::of_json(&json!({"b": 1.0, "a": "é"})),
            Digest::of(r#"{"a":"é","b":1}"#.as_bytes())
        );
    }
}
