//! The Agent: a team's declaration of one AI agent. Its parts are in [`declaration`], what the operator says of it in [`status`].

pub mod declaration;
pub mod status;

use self::{
    declaration::{Binding, DataUse, Delegate, Model, Owner, Prompt, Source, Tool, ToolServer, WorkloadReference},
    status::AgentStatus,
};
use crate::words::words;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

words! {
    /// How much an agent does without being asked.
    Autonomy {
        /// A person confirms what it does.
        Supervised,
        /// It acts alone within declared limits.
        Bounded,
        /// It acts alone.
        Autonomous,
    }
}

/// What one AI agent is made of. Only `owner.team` and `workloads` are needed; checks may ask for the rest.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vouchsafe.dev",
    version = "v1alpha1",
    kind = "Agent",
    namespaced,
    status = "AgentStatus",
    derive = "PartialEq",
    shortname = "vsag",
    category = "vouchsafe",
    doc = "One AI agent: what it is made of, who answers for it and what it may reach.",
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.verdict"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Promotion", type_ = "string", json_path = ".status.promotion"),
    printcolumn(name = "Team", type_ = "string", json_path = ".spec.owner.team", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')").message("an Agent's name is at most 63 characters without dots: it is a label's value and part of its Promotions' names")
)]
#[serde(rename_all = "camelCase")]
pub struct AgentSpec {
    /// A human owner. Not in the digest.
    pub owner: Owner,
    /// What it is for. Not in the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub purpose: Option<String>,
    /// How much it does alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy: Option<Autonomy>,
    /// Where it comes from: a claim, for links. Not in the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What runs it, in the same namespace: any kind that owns pods, by name or by selector.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["role"]))]
    pub workloads: Vec<WorkloadReference>,
    /// Its prompts, by place, never by the name of an object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub prompts: Vec<Prompt>,
    /// Its models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub models: Vec<Model>,
    /// Where its tools come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tool_servers: Vec<ToolServer>,
    /// Its tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tools: Vec<Tool>,
    /// Agents that it may hand work to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["agent"]))]
    pub delegates: Vec<Delegate>,
    /// Data that it touches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub data: Vec<DataUse>,
    /// What may differ between environments, and how far. Names and patterns are in the digest, values are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub bindings: Vec<Binding>,
}
