//! The parts of an Agent's spec, in the shape of `vouchsafe_core::surface::Declaration`; [`lower`](crate::lower::agent()) is total.

use crate::words::words;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words! {
    /// How firmly a model is named.
    ModelPin {
        /// By the digest of its weights.
        Digest,
        /// By a version that its provider keeps.
        Version,
        /// By a name that moves: never resolved.
        Floating,
    }
}

words! {
    /// What a tool can do to the world.
    Effect {
        /// It only looks.
        Read,
        /// It changes something, and that can be undone.
        Write,
        /// It changes something for good.
        Irreversible,
    }
}

words! {
    /// What is done with data.
    Access {
        /// It is read.
        Read,
        /// It is written.
        Write,
        /// It is deleted.
        Delete,
    }
}

words! {
    /// How a label is compared.
    SelectorOperator {
        /// It has one of the values.
        In,
        /// It has none of the values.
        NotIn,
        /// It is there.
        Exists,
        /// It is not there.
        DoesNotExist,
    }
}

/// A human owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The team.
    #[schemars(length(min = 1, max = 253))]
    pub team: String,
    /// How to reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub contact: Option<String>,
}

/// Where the agent's source is, as its team claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The repository.
    #[schemars(length(min = 1, max = 1024))]
    pub repository: String,
    /// The revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub revision: Option<String>,
}

/// A workload of the agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.name) != has(self.selector)").message("give either a name or a selector"))]
pub struct WorkloadReference {
    /// What it is for the agent. This, not its name, is in the digest.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub role: String,
    /// As `apps/v1`.
    #[schemars(length(min = 1, max = 253))]
    pub api_version: String,
    /// As `Deployment`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// By name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// or by labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Labels that an object must have; all must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)").message("a selector names at least one label"))]
pub struct LabelSelector {
    /// Labels and their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
    /// Labels and how they are compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub match_expressions: Vec<LabelExpression>,
}

fn labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "maxProperties": 16, "additionalProperties": {"type": "string", "maxLength": 63}})
}

/// One label and how it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelExpression {
    /// The label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How it is compared.
    pub operator: SelectorOperator,
    /// With what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// A place in a workload: a file or an environment variable of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.path) != has(self.env)").message("give either a path or an env"))]
pub struct Place {
    /// The workload's role.
    #[schemars(length(min = 1, max = 63))]
    pub role: String,
    /// The container; may be left out when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub container: Option<String>,
    /// The file,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = "^/"))]
    pub path: Option<String>,
    /// or the environment variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub env: Option<String>,
}

/// A prompt, by place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Prompt {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Where it is.
    #[serde(rename = "in")]
    pub place: Place,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.pin != 'Digest' || has(self.artifact) || has(self.__in__)").message("a model pinned by digest has an artifact, or a place that names one"))]
pub struct Model {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Who serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub provider: Option<String>,
    /// How firmly it is named.
    pub pin: ModelPin,
    /// Where the workload names it.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The artifact, as `oci://repository@sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub artifact: Option<String>,
}

/// A server that gives tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolServer {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The binding that says where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub binding: Option<String>,
    /// How it is spoken to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["StreamableHTTP", "SSE", "Stdio"]))]
    pub transport: Option<String>,
}

/// One tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The server that gives it; none when it is in the agent's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub server: Option<String>,
    /// What it can do.
    pub effect: Effect,
    /// Whether a person confirms each use.
    #[serde(default)]
    pub requires_approval: bool,
    /// SHA-256 over RFC 8785 of its `{name, description, inputSchema, annotations}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::digest")]
    pub definition_digest: Option<String>,
}

/// An agent that may be handed work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delegate {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub agent: String,
}

/// Data that the agent touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataUse {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// As `Confidential`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub classification: Option<String>,
    /// What is done with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub access: Vec<Access>,
    /// What for. Not in the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub purpose: Option<String>,
    /// Bindings, tool servers or mount paths through which it is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub through: Vec<String>,
    /// How it is protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
}

/// How data is protected, as declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// Where it lies.
    #[serde(default)]
    pub at_rest: bool,
    /// Where it travels.
    #[serde(default)]
    pub in_transit: bool,
}

/// What may differ between environments, and how far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.env) != has(self.secretMount)").message("give either an env or a secretMount"))]
#[x_kube(validation = Rule::new("has(self.env) == has(self.pattern)").message("an env needs a pattern that its whole value matches; a secretMount has none"))]
pub struct Binding {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The environment variable that differs, in every container that has it,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub env: Option<String>,
    /// and the regular expression that its whole value matches;
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub pattern: Option<String>,
    /// or the path where a Secret is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = "^/"))]
    pub secret_mount: Option<String>,
}
