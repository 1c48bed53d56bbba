//! From a declaration, workloads and configuration to a surface.

use super::{
    Component, ConfigReference, Content, Declaration, Facet, MAX_COMPONENTS, Problem, ProblemReason, Resolution,
    Surface, declared,
    loader::Loader,
    part, pod,
    reading::{Notes, Reading, list, text},
    template,
};
use crate::digest::Digest;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

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
    let mut loader = Loader::new(content);
    let mut notes = Notes::default();
    let mut roles: BTreeMap<&str, Vec<Vec<Component>>> = BTreeMap::new();
    for workload in workloads {
        let parts = read(declaration, workload, &mut loader, &mut notes);
        roles.entry(&workload.role).or_default().push(parts);
    }
    let mut parts = missing(declaration, &roles, &mut notes);
    parts.extend(roles.into_values().flat_map(variants));
    parts.extend(declared::read(declaration, &mut notes));
    let surface = Surface {
        components: bounded(unique(parts), &mut notes),
    };
    let bindings = flat(notes.bound);
    let mut problems = notes.problems;
    problems.sort();
    problems.dedup();
    Resolved {
        surface,
        binding_digest: Digest::of_json(&json!(bindings)),
        bindings,
        configuration: loader.into_references(),
        problems,
    }
}

/// What the agent is if the workload at index `owner` made this pod: its template replaced by the pod's own metadata and spec.
///
/// A pod belongs to a release when the digest is the same. What controllers and the API server add by kind (claim volumes' names apart,
/// which mean nothing anyway) has to be taken off before. With no workload at `owner` the pod is one more workload, without a role.
#[must_use]
pub fn of_pod(
    declaration: &Declaration,
    workloads: &[Workload],
    owner: usize,
    pod: &Value,
    content: &dyn Content,
) -> Resolved {
    let mut workloads = workloads.to_vec();
    let object = json!({"kind": "Pod", "metadata": pod.get("metadata"), "spec": pod.get("spec")});
    match workloads.get_mut(owner) {
        Some(workload) => workload.object = object,
        None => workloads.push(Workload {
            role: String::new(),
            object,
        }),
    }
    resolve(declaration, &workloads, content)
}

fn read(declaration: &Declaration, workload: &Workload, loader: &mut Loader<'_>, notes: &mut Notes) -> Vec<Component> {
    let kind = text(&workload.object, "kind");
    let name = workload
        .object
        .get("metadata")
        .map_or("", |metadata| text(metadata, "name"));
    let object = format!("{kind}/{name}");
    let Some(found) = template::pod_template(&workload.object) else {
        notes.problems.push(Problem {
            reason: ProblemReason::WorkloadWithoutPods,
            object,
            field: template::path_of(kind).join("."),
            message: "there is no pod template".to_owned(),
            fix: "name an object that owns pods".to_owned(),
            blocking: true,
        });
        return vec![part::unresolved(
            Facet::Pod,
            &workload.role,
            json!({"unresolved": "WorkloadWithoutPods"}),
        )];
    };
    let prefix = template::path_of(kind)
        .iter()
        .map(|field| format!("{field}."))
        .collect();
    let claim = |claim| text(claim_metadata(claim), "name");
    let spec = workload.object.get("spec").unwrap_or(&Value::Null);
    let claims: Vec<_> = list(spec, "volumeClaimTemplates")
        .map(|(_, template)| claim(template))
        .collect();
    let (role, parts) = (workload.role.as_str(), Vec::new());
    let mut reading = Reading {
        role,
        object,
        prefix,
        template: found,
        declaration,
        loader,
        parts,
        notes,
    };
    pod::read(&mut reading, &claims);
    reading.parts
}

fn claim_metadata(claim: &Value) -> &Value {
    claim.get("metadata").unwrap_or(&Value::Null)
}

/// Declared workloads that are not there.
fn missing(
    declaration: &Declaration,
    roles: &BTreeMap<&str, Vec<Vec<Component>>>,
    notes: &mut Notes,
) -> Vec<Component> {
    let absent = declaration
        .workloads
        .iter()
        .enumerate()
        .filter(|(_, workload)| !roles.contains_key(workload.role.as_str()));
    let mut parts = Vec::new();
    for (index, workload) in absent {
        let name = workload.name.as_deref().unwrap_or("(by selector)");
        notes.problems.push(Problem {
            reason: ProblemReason::WorkloadNotFound,
            object: "Agent".to_owned(),
            field: format!("spec.workloads[{index}]"),
            message: format!("{} `{name}` of role `{}` is not there", workload.kind, workload.role),
            fix: "create it, or correct its kind, name or selector".to_owned(),
            blocking: true,
        });
        parts.push(part::unresolved(
            Facet::Pod,
            &workload.role,
            json!({"unresolved": "WorkloadNotFound"}),
        ));
    }
    parts
}

/// The components of all workloads of one role. Workloads have no names here: those that are alike are one, others are numbered in the
/// order of their content.
fn variants(workloads: Vec<Vec<Component>>) -> Vec<Component> {
    let keyed = workloads.into_iter().map(|parts| {
        let surface = Surface {
            components: unique(parts),
        };
        (surface.digest(), surface.components)
    });
    let distinct: BTreeMap<_, _> = keyed.collect();
    distinct.into_values().flatten().collect()
}

/// Each component once. Of different ones under one name the second, in the order of their digests, gets a number.
fn unique(parts: Vec<Component>) -> Vec<Component> {
    let mut named: BTreeMap<(Facet, String), Vec<Component>> = BTreeMap::new();
    for component in parts {
        named
            .entry((component.facet, component.name.clone()))
            .or_default()
            .push(component);
    }
    let mut taken: BTreeSet<_> = named.keys().cloned().collect();
    let mut all = Vec::new();
    for ((facet, name), mut same) in named {
        same.sort_by_key(|component| (component.digest, component.resolution));
        same.dedup_by_key(|component| (component.digest, component.resolution == Resolution::Unresolved));
        let mut number = 1;
        for (index, mut component) in same.into_iter().enumerate() {
            while index > 0 && !taken.insert((facet, component.name.clone())) {
                number += 1;
                component.name = format!("{name}#{number}");
            }
            all.push(component);
        }
    }
    all.sort_by(|a, b| (a.facet, &a.name).cmp(&(b.facet, &b.name)));
    all
}

/// Within the bound: what is beyond it is one unresolved component, so that nothing is dropped in silence.
fn bounded(mut components: Vec<Component>, notes: &mut Notes) -> Vec<Component> {
    if components.len() <= MAX_COMPONENTS {
        return components;
    }
    notes.problems.push(Problem {
        reason: ProblemReason::SurfaceTooLarge,
        object: "Agent".to_owned(),
        field: "spec".to_owned(),
        message: format!(
            "the agent has {} components, at most {MAX_COMPONENTS} are allowed",
            components.len()
        ),
        fix: "split it into several agents".to_owned(),
        blocking: true,
    });
    let rest = components.split_off(MAX_COMPONENTS - 1);
    let digests: Vec<_> = rest.iter().map(super::canonical).collect();
    components.push(part::unresolved(
        Facet::Binding,
        "\u{10ffff}more",
        json!({"more": Digest::of_json(&json!(digests))}),
    ));
    components
}

/// One value a name where all places agree, else one a place.
fn flat(bound: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>) -> BTreeMap<String, String> {
    let joined = |values: &BTreeSet<String>| values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let mut flat = BTreeMap::new();
    for (name, places) in bound {
        let distinct: BTreeSet<_> = places.values().map(joined).collect();
        match distinct.first().filter(|_| distinct.len() == 1) {
            Some(value) => {
                flat.insert(name, value.clone());
            }
            None => flat.extend(
                places
                    .iter()
                    .map(|(place, values)| (format!("{name}@{place}"), joined(values))),
            ),
        }
    }
    flat
}
