//! The parts of an Environment's spec.

use crate::{period::Period, words::words};
use jiff::Timestamp;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

words! {
    /// Who does not count as an approver.
    Exclude {
        /// Whoever asked for the promotion.
        Requester,
        /// Whoever wrote what is promoted.
        Author,
        /// Service accounts.
        ServiceAccount,
    }
}

words! {
    /// What happens when a check fails after the clearance.
    OnFailure {
        /// It is said; the clearance is not renewed.
        Alert,
        /// No new pods after the grace period.
        Hold,
        /// And running pods are evicted.
        Evict,
    }
}

words! {
    /// A field of an exempted container that may be anything.
    #[allow(non_camel_case_types, reason = "the words are the fields' names")]
    FreeField {
        /// Environment variables.
        env,
        /// Requests and limits.
        resources,
        /// Ports.
        ports,
        /// When the image is pulled.
        imagePullPolicy,
        /// Where its last words go.
        terminationMessagePath,
        /// Where its last words come from.
        terminationMessagePolicy,
    }
}

/// An environment that comes before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Predecessor {
    /// Its name.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub environment: String,
    /// How long the release must have been healthy there.
    #[serde(default = "Predecessor::at_once")]
    pub soak: Period,
}

impl Predecessor {
    fn at_once() -> Period {
        Period::hours(0)
    }
}

/// A check that must pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// Its name.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub check: String,
    /// How old its evidence may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Period>,
    /// Values of its parameters, as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "parameters")]
    pub parameters: BTreeMap<String, String>,
}

fn parameters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "maxProperties": 32, "additionalProperties": {"type": "string", "maxLength": 1024}})
}

/// Whose word is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(self.role in ['status', 'scale'])").message("`status` and `scale` are subresources of Kubernetes, not roles"))]
pub struct Approvals {
    /// The role. Who has it is RBAC: verb `approve` on `environments/<role>`.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub role: String,
    /// How many people.
    #[serde(default = "Approvals::one")]
    #[schemars(range(min = 1, max = 16))]
    pub count: u32,
    /// How to reach them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub contact: Option<String>,
    /// Who does not count.
    #[serde(default = "Approvals::nobody_involved")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub exclude: Vec<Exclude>,
}

impl Approvals {
    fn one() -> u32 {
        1
    }

    fn nobody_involved() -> Vec<Exclude> {
        vec![Exclude::Requester, Exclude::Author, Exclude::ServiceAccount]
    }
}

/// What ran when enforcement began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Existing {
    /// Until when it may run on, by digest, without having been cleared.
    #[schemars(schema_with = "crate::schema::time")]
    pub grandfather_until: Timestamp,
}

/// How long a clearance is good, and what ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Clearance {
    /// How long; renewed at two thirds while its checks pass.
    pub valid_for: Period,
    /// How many earlier releases of an agent stay cleared beside the newest, for a rollback.
    #[schemars(range(max = 10))]
    pub keep_previous: u32,
    /// What happens when a check fails afterwards.
    pub on_failure: OnFailure,
    /// How long it may fail before that.
    pub grace_period: Period,
}

impl Default for Clearance {
    fn default() -> Self {
        Self {
            valid_for: Period::hours(2160),
            keep_previous: 2,
            on_failure: OnFailure::Alert,
            grace_period: Period::hours(24),
        }
    }
}

/// How pods are held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Hold {
    /// Refuse a change that would give up a running pod while its successor waits.
    pub require_surge: bool,
}

/// Who reaches into a pod that runs: by exec, attach, port-forward, or a proxy to a pod or Service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Connect {
    /// Only who has the verb `debug` on this environment, on top of what RBAC asks for.
    pub require_debug: bool,
}

/// A container that others add to pods, known by its whole profile; never by a name, an image's prefix or a service account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exemption {
    /// The container's name.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Everything else that the container is, as stored by the API server: the image by digest, command, args, security context, …
    #[schemars(schema_with = "crate::schema::object")]
    pub container: Map<String, Value>,
    /// Its fields that may be anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "set"))]
    pub free: Vec<FreeField>,
}
