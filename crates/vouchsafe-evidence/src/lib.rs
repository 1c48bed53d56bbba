//! Where facts come from: OCI registries and the signatures in them.
//!
//! Takes image references, credentials and trusted keys; gives reports that say what was proven, or why nothing could be. Everything
//! that a registry answers is hostile until it was hashed or verified, and everything read is bounded. It must not touch Kubernetes,
//! decide anything, or keep a credential longer than one call. No other crate names sigstore.

pub mod credentials;
mod json;
pub mod reference;
pub mod registry;
pub mod signature;
