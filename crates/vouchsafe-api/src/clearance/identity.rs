//! What a Clearance has of service accounts, the Roles that are bound to them, and the Services that releases name.

use super::map;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use vouchsafe_core::clearance::{MAX_CONTENT, MAX_NAMES, MAX_NEEDED, MAX_OF_ONE, MAX_ROLE};

/// What service accounts of cleared pods may do and where names lead, as they were cleared. Policies read it; only the verb `entitle` changes
/// what is in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// Service accounts of profiles, by name.
    #[schemars(schema_with = "map::<Account, MAX_NAMES>")]
    pub accounts: BTreeMap<String, Account>,
    /// Roles that are bound to them, by name.
    #[schemars(schema_with = "map::<BoundRole, MAX_NAMES>")]
    pub roles: BTreeMap<String, BoundRole>,
    /// Services that releases name, by name.
    #[schemars(schema_with = "map::<NamedService, MAX_NAMES>")]
    pub services: BTreeMap<String, NamedService>,
    /// What each release needs of them, by 32 hexadecimal digits. No policy reads it.
    #[schemars(schema_with = "map::<Needs, MAX_NAMES>")]
    pub needs: BTreeMap<String, Needs>,
}

/// A service account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    /// Its annotations but for the marks of tools.
    #[schemars(schema_with = "annotations")]
    pub annotations: BTreeMap<String, String>,
    /// What is bound to it in its namespace, as `Role/name` or `ClusterRole/name`.
    #[schemars(schema_with = "names::<MAX_OF_ONE>")]
    pub roles: Vec<String>,
}

/// A Role that is bound to a service account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundRole {
    /// Its rules; none when it was never there, or is too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rules")]
    pub rules: Option<Vec<Value>>,
}

/// A Service that a release names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedService {
    /// Whether it ever was there.
    pub present: bool,
    /// Where it leads; none when it never was there, or is too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::object")]
    pub leads: Option<Value>,
}

/// What one release needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Needs {
    /// Names of service accounts.
    #[schemars(schema_with = "names::<MAX_NEEDED>")]
    pub accounts: Vec<String>,
    /// Names of Services.
    #[schemars(schema_with = "names::<MAX_NEEDED>")]
    pub services: Vec<String>,
}

fn annotations(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "default": {},
        "maxProperties": 2048,
        "additionalProperties": {"type": "string", "maxLength": MAX_CONTENT}
    })
}

fn names<const MAX: usize>(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "array",
        "default": [],
        "maxItems": MAX,
        "items": {"type": "string", "maxLength": MAX_ROLE}
    })
}

fn rules(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 1024,
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}
    })
}
