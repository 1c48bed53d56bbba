//! The ways to judge, and the parameters that Environments may set.

use crate::{
    evidence::{Format, SubjectKind},
    words::words,
};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// How a parameter's text is read.
    ParameterType {
        /// A decimal number.
        Number,
        /// As it is.
        String,
        /// `true` or `false`.
        Boolean,
    }
}

words! {
    /// What a signature is of.
    SignatureSubject {
        /// Every image.
        Image,
        /// Every model that is an artifact.
        Model,
    }
}

words! {
    /// What a producer of evidence is.
    ProducerKind {
        /// A user, by its full name.
        User,
        /// A service account, by its name and namespace.
        ServiceAccount,
        /// Everybody in a group.
        Group,
    }
}

/// A value that Environments may set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// Its name, as in `params.<name>`.
    #[schemars(length(max = 63), regex(pattern = "^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub name: String,
    /// How its text is read.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// What it is when it is not set. Without one it has to be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub default: Option<String>,
}

/// By signatures in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.threshold <= size(self.authorities)").message("the threshold is higher than the number of authorities"))]
pub struct SignatureRule {
    /// Of what.
    #[serde(default = "SignatureRule::images")]
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub of: Vec<SignatureSubject>,
    /// Whose signatures count.
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub authorities: Vec<Authority>,
    /// How many of them must have signed, each with a key of its own.
    #[serde(default = "SignatureRule::one")]
    #[schemars(range(min = 1, max = 16))]
    pub threshold: u32,
}

impl SignatureRule {
    fn images() -> Vec<SignatureSubject> {
        vec![SignatureSubject::Image]
    }

    fn one() -> u32 {
        1
    }
}

/// Someone whose signature counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.key)").message("give the authority's public key"))]
pub struct Authority {
    /// Its name.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Its public key: SPKI in PEM, as `cosign public-key` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096), regex(pattern = "^\\s*-----BEGIN PUBLIC KEY-----\\s"))]
    pub key: Option<String>,
}

/// By evidence that somebody gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceRule {
    /// What it must be about: the release, or every image, model or tool server of it.
    pub subject: SubjectKind,
    /// Formats that count; all, when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "set"))]
    pub formats: Vec<Format>,
    /// CEL over the normal form: `counters`, `findings`, `tool`, `startedAt`, `finishedAt`, `result`, `format`, `params`. There is no
    /// clock in it; how old evidence may be is the Environment's `maxAge`.
    #[schemars(length(min = 1, max = 4096))]
    pub policy: String,
    /// Whose evidence counts; when left out, whoever may `attest` for this Check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub producers: Vec<Producer>,
}

/// Whose evidence counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.kind == 'ServiceAccount') == has(self.__namespace__)").message("a ServiceAccount, and nothing else, has a namespace"))]
pub struct Producer {
    /// What it is.
    pub kind: ProducerKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// A service account's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// By the surface itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SurfaceRule {
    /// CEL over `surface` and `params`.
    #[schemars(length(min = 1, max = 4096))]
    pub policy: String,
    /// What to say when it is not satisfied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}
