//! The Clearance: the ledger of one governed namespace that the API server's policies read; always named `clearance`. Only the operator
//! writes it. Its shape is a contract with the policies and with `vouchsafe_core::clearance::LedgerSpec`: change them together. Every map
//! is always there, so that a policy need not ask.

use crate::{environment::Enforcement, words::words};
use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use vouchsafe_core::{clearance::MAX_PROFILE, digest::ReleaseDigest};

/// The only name of a Clearance.
pub const NAME: &str = "clearance";
/// Profiles, and templates, and releases, that one ledger holds.
pub const MAX_PROFILES: usize = 256;
/// Profiles, and templates, under one image.
pub const MAX_PER_IMAGE: usize = 32;
/// Configuration objects that one ledger protects.
pub const MAX_PROTECTED: usize = 1024;
/// Agents whose waiting is explained.
pub const MAX_WAITING: usize = 64;
/// Characters of one explanation.
pub const MAX_EXPLANATION: usize = 300;

mod identity;

pub use self::identity::{Account, BoundRole, Identity, NamedService, Needs};

words! {
    /// What controllers add to a pod by its kind, so that it may differ from pod to pod.
    Varies {
        /// A StatefulSet's and an Indexed Job's hostname and subdomain.
        Hostname,
        /// A StatefulSet's claims.
        Claims,
        /// A DaemonSet's affinity to its node.
        Affinity,
    }
}

/// What may run in this namespace.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vouchsafe.dev",
    version = "v1alpha1",
    kind = "Clearance",
    namespaced,
    derive = "PartialEq",
    shortname = "vscl",
    category = "vouchsafe",
    doc = "What may run in a governed namespace. Read by the API server's admission policies, written by the operator alone.",
    selectable = ".spec.environment",
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "Enforcement", type_ = "string", json_path = ".spec.enforcement"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name == 'clearance'").message("a namespace has one Clearance, named `clearance`")
)]
#[serde(rename_all = "camelCase")]
pub struct ClearanceSpec {
    /// The environment that it was made for; a namespace that moved has no valid ledger.
    #[schemars(length(max = 63))]
    pub environment: String,
    /// The namespace's uid; a namespace that was made anew has no valid ledger.
    #[schemars(length(max = 63))]
    pub namespace_uid: String,
    /// What happens to what is not in it.
    pub enforcement: Enforcement,
    /// Whether a rollout may take no pod away while its new ones wait.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_surge: bool,
    /// Whether exec, attach, port-forward and proxies need the verb `debug`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_debug: bool,
    /// In the operator's probe namespace: shows how far the API server has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub nonce: Option<String>,
    /// The exact `projected` source of the service-account token volume that the API server injects.
    #[serde(default)]
    #[schemars(schema_with = "token")]
    pub token: Map<String, Value>,
    /// Keys of profiles, by the image of the first container.
    #[serde(default)]
    #[schemars(schema_with = "index")]
    pub index: BTreeMap<String, Vec<String>>,
    /// Cleared pods, by 32 hexadecimal digits.
    #[serde(default)]
    #[schemars(schema_with = "map::<Profile, MAX_PROFILES>")]
    pub profiles: BTreeMap<String, Profile>,
    /// Keys of templates, by the image of the first container.
    #[serde(default)]
    #[schemars(schema_with = "index")]
    pub template_index: BTreeMap<String, Vec<String>>,
    /// Pod templates of cleared releases, by 32 hexadecimal digits.
    #[serde(default)]
    #[schemars(schema_with = "map::<Template, MAX_PROFILES>")]
    pub templates: BTreeMap<String, Template>,
    /// Cleared releases, by the 64 hexadecimal digits of their digest.
    #[serde(default)]
    #[schemars(schema_with = "map::<Release, MAX_PROFILES>")]
    pub releases: BTreeMap<String, Release>,
    /// Configuration that cleared releases are made of, as `ConfigMap/name`.
    #[serde(default)]
    #[schemars(schema_with = "map::<Protected, MAX_PROTECTED>")]
    pub protected_config: BTreeMap<String, Protected>,
    /// What service accounts of cleared pods may do and where names lead, as they were cleared.
    #[serde(default)]
    pub identity: Identity,
    /// What agents wait for, in one line each.
    #[serde(default)]
    #[schemars(schema_with = "waiting")]
    pub waiting: BTreeMap<String, String>,
}

/// A pod that may run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The agent.
    #[schemars(length(max = 63))]
    pub agent: String,
    /// The workload's role in it.
    #[schemars(length(max = 63))]
    pub role: String,
    /// The release.
    #[schemars(schema_with = "crate::schema::release")]
    pub release: ReleaseDigest,
    /// Until when.
    #[schemars(schema_with = "crate::schema::time")]
    pub not_after: Timestamp,
    /// Whether the API server's service-account token is in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub token: bool,
    /// What may differ from pod to pod.
    #[serde(default)]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub varies: Vec<Varies>,
    /// Annotations and labels that the pod refers to, with their values.
    #[serde(default)]
    pub metadata: PodMetadata,
    /// What the pod refers to, as `annotations/<key>`, `labels/<key>`, or all of `annotations` or `labels`.
    #[serde(default)]
    #[schemars(length(max = 2048), inner(length(max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub refers: Vec<String>,
    /// The pod's whole spec, as stored while it was held.
    #[schemars(schema_with = "crate::schema::object")]
    pub spec: Map<String, Value>,
}

/// Annotations and labels that are content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PodMetadata {
    /// The annotations.
    #[schemars(schema_with = "texts")]
    pub annotations: BTreeMap<String, String>,
    /// The labels.
    #[schemars(schema_with = "texts")]
    pub labels: BTreeMap<String, String>,
}

/// A pod template that may be applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// The agent.
    #[schemars(length(max = 63))]
    pub agent: String,
    /// The release.
    #[schemars(schema_with = "crate::schema::release")]
    pub release: ReleaseDigest,
    /// Until when.
    #[schemars(schema_with = "crate::schema::time")]
    pub not_after: Timestamp,
    /// The template's pod spec.
    #[schemars(schema_with = "crate::schema::object")]
    pub spec: Map<String, Value>,
}

/// A release that may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The agent.
    #[schemars(length(max = 63))]
    pub agent: String,
    /// Until when.
    #[schemars(schema_with = "crate::schema::time")]
    pub not_after: Timestamp,
}

/// Configuration that is not edited in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Protected {
    /// Whether it was there; what was not there must not appear.
    pub present: bool,
}

fn index(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "default": {},
        "maxProperties": MAX_PROFILES,
        "additionalProperties": {
            "type": "array",
            "maxItems": MAX_PER_IMAGE,
            "items": {"type": "string", "maxLength": 32}
        }
    })
}

fn waiting(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "default": {},
        "maxProperties": MAX_WAITING,
        "additionalProperties": {"type": "string", "maxLength": MAX_EXPLANATION}
    })
}

/// As much as a profile can be: what is larger never gets here.
fn texts(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "default": {},
        "maxProperties": 2048,
        "additionalProperties": {"type": "string", "maxLength": MAX_PROFILE}
    })
}

fn token(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "object", "default": {}, "x-kubernetes-preserve-unknown-fields": true})
}

fn map<T: JsonSchema, const MAX: usize>(generator: &mut SchemaGenerator) -> Schema {
    let of = generator.subschema_for::<T>();
    schemars::json_schema!({"type": "object", "default": {}, "maxProperties": MAX, "additionalProperties": of})
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vouchsafe_core::clearance::LedgerSpec;

    /// What core says, as it writes it.
    fn ledger(extra: &Value) -> Value {
        let release = format!("v1:sha256:{}", "1".repeat(64));
        let mut ledger = json!({
            "environment": "prod", "namespaceUid": "u", "enforcement": "Hold", "token": {"defaultMode": 420},
            "index": {"image": ["a".repeat(32)]},
            "profiles": {"a".repeat(32): {
                "agent": "refund", "role": "server", "release": release, "notAfter": "2027-01-01T00:00:00Z", "varies": ["Hostname", "Claims"],
                "refers": ["labels/app"], "metadata": {"annotations": {}, "labels": {"app": "x"}}, "spec": {"containers": [{"x": null}]},
            }},
            "templateIndex": {"image": ["b".repeat(32)]},
            "templates": {"b".repeat(32): {"agent": "refund", "release": release, "notAfter": "2027-01-01T00:00:00Z", "spec": {"x": 1}}},
            "releases": {"1".repeat(64): {"agent": "refund", "notAfter": "2027-01-01T00:00:00Z"}},
            "protectedConfig": {"ConfigMap/prompts": {"present": true}},
            "identity": {
                "accounts": {"refund": {"annotations": {"cloud.example/role": "reader"}, "roles": ["ClusterRole/view", "Role/refund"]}},
                "roles": {"refund": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}, "large": {}},
                "services": {"tools": {"present": true, "leads": {"selector": {"app": "tools"}}}, "nowhere": {"present": false}},
                "needs": {"1".repeat(32): {"accounts": ["refund"], "services": ["tools"]}},
            },
            "waiting": {"refund": "approval by security"},
        });
        ledger
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        ledger
    }

    #[test]
    fn it_is_the_ledger_of_core() {
        for ledger in [ledger(&json!({})), ledger(&json!({"nonce": "n"}))] {
            let core: LedgerSpec = serde_json::from_value(ledger.clone()).unwrap();
            let spec: ClearanceSpec = serde_json::from_value(serde_json::to_value(&core).unwrap()).unwrap();
            assert_eq!(serde_json::to_value(&spec).unwrap(), ledger);
            assert_eq!(serde_json::to_value(&core).unwrap(), ledger);
        }
    }

    #[test]
    fn every_map_is_always_there() {
        let spec = json!({"environment": "prod", "namespaceUid": "u", "enforcement": "Deny"});
        let spec: ClearanceSpec = serde_json::from_value(spec).unwrap();
        let written = serde_json::to_value(&spec).unwrap();
        for map in [
            "token",
            "index",
            "profiles",
            "templateIndex",
            "templates",
            "releases",
            "protectedConfig",
            "waiting",
        ] {
            assert_eq!(written[map], json!({}), "{map}");
        }
        let empty = json!({"accounts": {}, "roles": {}, "services": {}, "needs": {}});
        assert_eq!(written["identity"], empty);
    }
}
