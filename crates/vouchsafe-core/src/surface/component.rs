//! One part of an agent: its facet, name and digest.
//!
//! Pure data. What a component is made from is the business of the modules that make it.

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The kind of part. The order is that of the canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Facet {
    /// What the declaration says of the whole: autonomy, where prompts are, how models are pinned.
    Agent,
    /// An image, by its content digest; of a container, or mounted as a volume.
    Image,
    /// How a container is started, and what it sees.
    Container,
    /// What its containers share: namespaces, security context, order.
    Pod,
    /// The bytes at one path of one container.
    Config,
    /// The bytes of a declared prompt.
    Prompt,
    /// A declared model and what it is pinned to.
    Model,
    /// A server that gives tools.
    ToolServer,
    /// One tool that the agent may use.
    Tool,
    /// Another agent that this one may hand work to.
    Delegate,
    /// Data that the agent touches.
    Data,
    /// What may differ between environments, and how far.
    Binding,
}

impl Facet {
    /// The word for it, as written in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Image => "Image",
            Self::Container => "Container",
            Self::Pod => "Pod",
            Self::Config => "Config",
            Self::Prompt => "Prompt",
            Self::Model => "Model",
            Self::ToolServer => "ToolServer",
            Self::Tool => "Tool",
            Self::Delegate => "Delegate",
            Self::Data => "Data",
            Self::Binding => "Binding",
        }
    }
}

impl fmt::Display for Facet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a component came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Resolution {
    /// The Agent says so.
    Declared,
    /// The Agent does not say; the default is taken.
    Defaulted,
    /// Found in the workloads and their configuration.
    Resolved,
    /// Could not be pinned down. It still has a digest, which stands for "unknown".
    Unresolved,
}

/// One part of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Component {
    /// The kind of part.
    pub facet: Facet,
    /// Its name, unique in its facet, at most [`MAX_NAME`] bytes. No name of a Kubernetes object is in it.
    pub name: String,
    /// Of the value, of the bytes (Config, Prompt), or the content's own (Image, and a Model pinned by digest).
    pub digest: Digest,
    /// How it came to be known.
    pub resolution: Resolution,
    /// What was hashed, when it is JSON of at most [`MAX_VALUE`] bytes; then `digest` is its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A few words for people, at most [`MAX_SUMMARY`] characters; not hashed, never to be judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// Components that a surface may have.
pub const MAX_COMPONENTS: usize = 512;
/// Bytes of a component's name.
pub const MAX_NAME: usize = 512;
/// Bytes of a component's value, as compact JSON, that are kept.
pub const MAX_VALUE: usize = 8 * 1024;
/// Characters of a component's summary.
pub const MAX_SUMMARY: usize = 256;
