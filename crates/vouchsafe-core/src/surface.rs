//! What an agent is: its parts, their canonical form and digest.
//!
//! Takes a declaration, raw workloads and the bytes of their configuration ([`resolve()`]); gives a [`Surface`]. Objects are read as raw
//! JSON, never through typed structs: a field that is not seen would be a hole in the digest. What is left out of the digest is a list
//! of meaningless fields; everything else is in it.

mod advise;
mod binding;
mod claim;
mod component;
mod container;
mod content;
mod declaration;
mod declared;
mod diff;
mod downward;
mod env;
mod env_from;
mod essence;
mod expression;
mod fields;
mod image;
mod loader;
mod mount;
mod part;
mod places;
mod pod;
mod problem;
mod reading;
mod resolve;
mod selection;
mod template;
#[cfg(test)]
mod tests;
mod volume;

pub use self::{
    advise::{advise, names_a_model},
    claim::ClaimError,
    component::{Component, Facet, MAX_COMPONENTS, MAX_NAME, MAX_SUMMARY, MAX_VALUE, Resolution},
    content::{ConfigKind, ConfigObject, ConfigReference, Content, Lookup},
    declaration::{
        Access, Autonomy, Binding, DataUse, Declaration, Delegate, Effect, Encryption, Model, ModelPin, Owner, Place,
        Prompt, Source, Tool, ToolServer, WorkloadReference,
    },
    diff::{Change, ChangeKind},
    essence::essence,
    loader::Objects,
    problem::{Problem, ProblemReason},
    resolve::{Resolved, Workload, of_pod, resolve},
    template::pod_template,
};

use crate::digest::{Digest, ReleaseDigest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Everything that decides how an agent behaves and what it can reach: at most [`MAX_COMPONENTS`] components, sorted by facet and name,
/// each of them once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "claim::Claim")]
pub struct Surface {
    components: Vec<Component>,
}

impl Surface {
    /// A surface from components that somebody claims, in any order.
    ///
    /// Whoever claims it needs no trust: what is not hashed cannot be judged by, and what can be judged by is compared with its digest.
    ///
    /// # Errors
    /// When a bound is exceeded, a component appears twice, or a value does not have the digest that is claimed for it.
    pub fn from_claim(components: Vec<Component>) -> Result<Self, ClaimError> {
        claim::check(components)
    }

    /// The digest: over RFC 8785 of `{"version":"v1","components":[{facet,name,digest}…]}`, where an unresolved component also says so.
    #[must_use]
    pub fn digest(&self) -> ReleaseDigest {
        let components: Vec<Value> = self.components.iter().map(canonical).collect();
        ReleaseDigest::v1(Digest::of_json(&json!({"version": "v1", "components": components})))
    }

    /// The components, sorted by facet and name.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The components of one facet.
    pub fn of(&self, facet: Facet) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(move |component| component.facet == facet)
    }

    /// The images, each with its content digest.
    pub fn images(&self) -> impl Iterator<Item = &Component> {
        self.of(Facet::Image)
    }

    /// What could not be pinned down.
    pub fn unresolved(&self) -> impl Iterator<Item = &Component> {
        self.components
            .iter()
            .filter(|component| component.resolution == Resolution::Unresolved)
    }

    /// What changed on the way from another surface to this one, in the order of the canonical form.
    #[must_use]
    pub fn diff(&self, from: &Surface) -> Vec<Change> {
        diff::between(&from.components, &self.components)
    }
}

fn canonical(component: &Component) -> Value {
    let mut entry =
        json!({"facet": component.facet.as_str(), "name": component.name, "digest": component.digest.to_string()});
    if component.resolution == Resolution::Unresolved
        && let Some(entry) = entry.as_object_mut()
    {
        entry.insert("resolution".to_owned(), json!("Unresolved"));
    }
    entry
}
