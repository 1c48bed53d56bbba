//! Signatures of images: who has signed exactly this digest.
//!
//! Takes an image reference and the authorities that a check trusts, gives a [`SignatureReport`]. Fetching is here and in
//! [`crate::registry`]; whether something is a signature is decided by pure functions over bytes. An attestation by a trusted key is
//! not a signature. Annotations, file types and times that nobody signed decide nothing. Whether what was found is enough is not
//! judged here.
//!
//! A signature by key needs no log entry and no timestamp, which is how it is where there is no network; those that are there are not
//! looked at, since the key alone is trusted. Certificates (keyless) are recognised and reported, they do not count yet.

mod bundle;
mod collect;
mod finding;
mod key;
mod report;
mod simple;

pub use collect::image_signatures;
pub use key::{Authority, KeyError, PublicKey};
pub use report::{SignatureReport, SignatureState};

#[cfg(test)]
#[path = "../tests/it/mint.rs"]
mod mint;
#[cfg(test)]
mod tests;
