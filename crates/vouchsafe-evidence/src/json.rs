//! JSON objects, read as such.
//!
//! Takes bytes from strangers, gives a value of a known shape. Depth is bounded by the reader (128), length by whoever fetched them.

use serde::de::{DeserializeOwned, Error as _};

/// Reads an object. An array that would fit the fields in their order is not one.
///
/// # Errors
/// When it is not JSON, not an object, or of another shape.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(serde_json::Error::custom("it is not an object"));
    }
    serde_json::from_slice(bytes)
}
