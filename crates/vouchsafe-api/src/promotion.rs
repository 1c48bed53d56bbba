//! The Promotion: one release of one agent asking to enter the environment of its namespace. The spec carries what is asked for, the
//! surface itself; the verdict is in [`status`].

pub mod status;

use self::status::PromotionStatus;
use crate::{stamp::Stamp, words::words};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vouchsafe_core::digest::{Digest, ReleaseDigest};

words! {
    /// The kind of part.
    Facet {
        /// What the declaration says of the whole.
        Agent,
        /// An image.
        Image,
        /// How a container is started, and what it sees.
        Container,
        /// What containers share.
        Pod,
        /// The bytes at one path.
        Config,
        /// A prompt.
        Prompt,
        /// A model.
        Model,
        /// A server that gives tools.
        ToolServer,
        /// A tool.
        Tool,
        /// Another agent.
        Delegate,
        /// Data.
        Data,
        /// What may differ between environments.
        Binding,
    }
}

words! {
    /// How a component came to be known.
    Resolution {
        /// The Agent says so.
        Declared,
        /// The Agent does not say; the default is taken.
        Defaulted,
        /// Found in the workloads and their configuration.
        Resolved,
        /// Could not be pinned down.
        Unresolved,
    }
}

/// What is asked.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vouchsafe.dev",
    version = "v1alpha1",
    kind = "Promotion",
    namespaced,
    status = "PromotionStatus",
    derive = "PartialEq",
    shortname = "vspr",
    category = "vouchsafe",
    doc = "One release of one agent asking to enter one environment. Its spec can be created, not changed.",
    selectable = ".spec.agent",
    selectable = ".spec.environment",
    selectable = ".spec.release",
    printcolumn(name = "Agent", type_ = "string", json_path = ".spec.agent"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.verdict"),
    printcolumn(name = "Waiting-For", type_ = "string", json_path = ".status.waitingFor"),
    printcolumn(name = "Requested-By", type_ = "string", json_path = ".spec.requestedBy.username", priority = 1),
    printcolumn(name = "Release", type_ = "string", json_path = ".spec.release", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name == self.spec.agent + '-' + self.spec.release.substring(10, 42)").message("a Promotion is named <agent>-<first 32 hex digits of its release>")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("a Promotion cannot be changed; another release is another Promotion"))]
pub struct PromotionSpec {
    /// The agent.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub agent: String,
    /// The digest of the surface.
    #[schemars(schema_with = "crate::schema::release")]
    pub release: ReleaseDigest,
    /// The environment of the namespace.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub environment: String,
    /// What the agent is.
    pub surface: SurfaceClaim,
    /// Who asks; written by the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<Stamp>,
}

/// What the agent is, as somebody claims; it is checked against the release's digest, not believed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SurfaceClaim {
    /// Its parts.
    #[schemars(
        length(min = 1, max = 512),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["facet", "name"])
    )]
    pub components: Vec<Component>,
}

/// One part of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// The kind of part.
    pub facet: Facet,
    /// Its name, unique in its facet.
    #[schemars(length(min = 1, max = 512))]
    pub name: String,
    /// Its digest.
    #[schemars(schema_with = "crate::schema::digest")]
    pub digest: Digest,
    /// How it came to be known.
    pub resolution: Resolution,
    /// What was hashed, when that is JSON of at most 8 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::json")]
    pub value: Option<Value>,
    /// A few words for people; not hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
}
