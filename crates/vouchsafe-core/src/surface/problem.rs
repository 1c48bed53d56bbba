//! What stands in the way of a surface, in words that name the object, the field and the fix.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Why there is a problem: a stable word for conditions, events and tests.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ProblemReason { $($(#[doc = $doc])* $name,)* }

        impl ProblemReason {
            /// The word, in CamelCase.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

reasons! {
    /// An image is named by a tag, which can move.
    ImageNotPinned,
    /// A declared workload is not there.
    WorkloadNotFound,
    /// A declared workload has no pod template.
    WorkloadWithoutPods,
    /// An older Agent names the same workload.
    WorkloadClaimedTwice,
    /// A ConfigMap that is not optional is not there.
    ConfigMapNotFound,
    /// A ConfigMap could not be read.
    ConfigMapNotReadable,
    /// A key that is not optional is not in its ConfigMap or Secret.
    ConfigKeyNotFound,
    /// A Secret that is not optional is not there.
    SecretNotFound,
    /// A Secret whose bytes are content could not be read.
    SecretNotReadable,
    /// Configuration is larger than what is hashed.
    ContentTooLarge,
    /// The agent has more components than a surface holds.
    SurfaceTooLarge,
    /// A mount names a volume that the pod does not have.
    VolumeNotFound,
    /// Nothing is at the place where a prompt was declared.
    PromptNotFound,
    /// Nothing is at the place where a model was declared.
    ModelNotFound,
    /// A model is named by a word that can move.
    ModelFloating,
    /// An environment variable looks like a model and is declared neither as model nor as binding.
    UndeclaredModel,
    /// A tool server names a binding that is not declared.
    ToolServerNotBound,
    /// A tool server is declared without tools, which often means all of them.
    ToolsUndeclared,
    /// A tool's definition is not pinned.
    ToolNotPinned,
    /// A tool names a server that is not declared.
    ToolServerNotFound,
    /// Data is declared as reached through something that is not declared.
    DataNotTied,
    /// A binding's value does not match its pattern.
    BindingOutOfPattern,
    /// A binding's pattern is missing, too large or not a regular expression.
    BindingPatternInvalid,
    /// A binding would let code or content in, so that it cannot be free.
    BindingNotFree,
    /// A binding that nothing uses.
    BindingUnused,
    /// Two declared things of one kind have the same name.
    DuplicateName,
    /// Configuration under a stable name, edited in place.
    ConfigEditedInPlace,
    /// Configuration that is pruned while a cleared release still needs it.
    ConfigNotKept,
}

impl fmt::Display for ProblemReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong, where, and how to put it right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The stable word.
    pub reason: ProblemReason,
    /// The object, as `Kind/name`.
    pub object: String,
    /// The field in it, as `spec.template.spec.containers[0].image`; empty when the whole object is meant.
    pub field: String,
    /// What is wrong, a sentence without its full stop.
    pub message: String,
    /// What to do, in the imperative.
    pub fix: String,
    /// Whether the release cannot be cleared anywhere while it stands.
    pub blocking: bool,
}
