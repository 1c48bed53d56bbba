//! What an Agent's spec says, as core sees it. The API crate lowers its `Agent` to this; manifests are read into it directly.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much an agent does without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Autonomy {
    /// A person confirms what it does.
    Supervised,
    /// It acts alone within declared limits.
    Bounded,
    /// It acts alone.
    Autonomous,
}

/// How firmly a model is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ModelPin {
    /// By the digest of its weights.
    Digest,
    /// By a version that its provider keeps.
    Version,
    /// By a name that moves. Never resolved.
    Floating,
}

/// What a tool can do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Effect {
    /// It only looks.
    Read,
    /// It changes something, and that can be undone.
    Write,
    /// It changes something for good.
    Irreversible,
}

/// What is done with data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Access {
    /// It is read.
    Read,
    /// It is written.
    Write,
    /// It is deleted.
    Delete,
}

/// An Agent's spec. Every field has a default, so that a partial one can be judged too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Declaration {
    /// Who answers for it. Not in the digest.
    pub owner: Owner,
    /// What it is for. Not in the digest.
    pub purpose: Option<String>,
    /// How much it does alone; when left out the surface says `Undeclared`.
    pub autonomy: Option<Autonomy>,
    /// Where it comes from. A claim, for links; not in the digest.
    pub source: Option<Source>,
    /// What runs it.
    pub workloads: Vec<WorkloadReference>,
    /// Its prompts, by place.
    pub prompts: Vec<Prompt>,
    /// Its models.
    pub models: Vec<Model>,
    /// Where its tools come from.
    pub tool_servers: Vec<ToolServer>,
    /// Its tools.
    pub tools: Vec<Tool>,
    /// Agents that it may hand work to.
    pub delegates: Vec<Delegate>,
    /// Data that it touches.
    pub data: Vec<DataUse>,
    /// What may differ between environments.
    pub bindings: Vec<Binding>,
}

/// A human owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owner {
    /// The team.
    pub team: String,
    /// How to reach it.
    pub contact: Option<String>,
}

/// Where the agent's source is, as its team claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// The repository.
    pub repository: String,
    /// The revision.
    pub revision: Option<String>,
}

/// A workload of the agent, by name or by selector.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadReference {
    /// What it is for the agent; this, not its name, is in the digest.
    pub role: String,
    /// As `apps/v1`.
    pub api_version: String,
    /// As `Deployment`.
    pub kind: String,
    /// By name,
    pub name: Option<String>,
    /// or by a label selector (`matchLabels`, `matchExpressions`).
    pub selector: Option<Value>,
}

/// A place in a workload: an environment variable or a path of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// The workload's role.
    pub role: String,
    /// The container's name; may be left out when the workload has one container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The environment variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
}

/// A prompt, by place, never by object name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Prompt {
    /// Its name.
    pub name: String,
    /// Where it is.
    #[serde(rename = "in")]
    pub place: Place,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Who serves it.
    #[serde(default)]
    pub provider: Option<String>,
    /// How firmly it is named.
    pub pin: ModelPin,
    /// Where the workload names it.
    #[serde(rename = "in", default)]
    pub place: Option<Place>,
    /// The artifact, as `oci://repository@sha256:…`.
    #[serde(default)]
    pub artifact: Option<String>,
}

/// A server that gives tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolServer {
    /// Its name.
    pub name: String,
    /// The binding that says where it is.
    pub binding: Option<String>,
    /// As `StreamableHTTP`, `SSE` or `Stdio`.
    pub transport: Option<String>,
}

/// One tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The server that gives it; none when it is in the agent's own code.
    #[serde(default)]
    pub server: Option<String>,
    /// What it can do.
    pub effect: Effect,
    /// Whether a person confirms each use.
    #[serde(default)]
    pub requires_approval: bool,
    /// SHA-256 over RFC 8785 of its `{name, description, inputSchema, annotations}`.
    #[serde(default)]
    pub definition_digest: Option<String>,
}

/// An agent that may be handed work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delegate {
    /// Its name.
    pub agent: String,
}

/// Data that the agent touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataUse {
    /// Its name.
    pub name: String,
    /// As `Confidential`.
    pub classification: Option<String>,
    /// What is done with it.
    pub access: Vec<Access>,
    /// What for. Not in the digest.
    pub purpose: Option<String>,
    /// Bindings, tool servers or mount paths through which it is reached.
    pub through: Vec<String>,
    /// How it is protected.
    pub encryption: Option<Encryption>,
}

/// How data is protected, as declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Encryption {
    /// Where it lies.
    pub at_rest: bool,
    /// Where it travels.
    pub in_transit: bool,
}

/// What may differ between environments, and how far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Binding {
    /// Its name.
    pub name: String,
    /// The environment variable that differs, in every container that has it,
    pub env: Option<String>,
    /// and the regular expression that its whole value matches;
    pub pattern: Option<String>,
    /// or the path where a Secret is mounted.
    pub secret_mount: Option<String>,
}
