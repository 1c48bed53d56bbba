//! Who did it, as the API server says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who made the object. Written by the API server's admission policy from the request itself; what people write here is replaced or
/// refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stamp {
    /// The user name.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub username: String,
    /// The user's unique id, when the authenticator gives one.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub uid: String,
    /// The groups.
    #[serde(default)]
    #[schemars(length(max = 256), inner(length(max = 1024)), extend("x-kubernetes-list-type" = "set"))]
    pub groups: Vec<String>,
}
