//! What something that may be a signature turned out to be.
//!
//! A value and its words, in the order in which the words are shown.

use std::fmt;
use vouchsafe_core::digest::Digest;

/// The judgement on one candidate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finding {
    /// It is a signature of this image by the key with this fingerprint.
    Signed(Digest),
    /// The key that made it is none of ours.
    OtherKey,
    /// A trusted key signed it, as a statement of another kind.
    Attestation(String),
    /// A trusted key signed it, and it is about another image.
    OtherImage,
    /// It was signed with a certificate, and the authorities have keys.
    Certificate,
    /// It is of a version or algorithm that is not read.
    Unsupported(String),
    /// It is not what it says it is.
    Malformed(&'static str),
}

impl Finding {
    /// A version that is not known may mean anything, so that nothing follows from it.
    pub(super) fn is_conclusive(&self) -> bool {
        !matches!(self, Self::Unsupported(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed(key) => write!(f, "a signature by the key {key}"),
            Self::OtherKey => f.write_str("signed by another key"),
            Self::Attestation(kind) => write!(f, "an attestation ({kind:?}) and not a signature"),
            Self::OtherImage => f.write_str("a signature of another image"),
            Self::Certificate => f.write_str("signed with a certificate, and only keys are trusted"),
            Self::Unsupported(what) => write!(f, "unsupported ({what:?})"),
            Self::Malformed(problem) => write!(f, "malformed ({problem})"),
        }
    }
}
