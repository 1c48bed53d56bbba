//! One workload while it is being read: where we are, and what was found.

use super::{Binding, Component, Declaration, Facet, Place, Problem, ProblemReason, loader::Loader};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is kept beside the components, over all workloads.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// Values of what is bound: name, then place, then values.
    pub(super) bound: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Declared parts that were found in a workload.
    pub(super) found: BTreeSet<(Facet, String)>,
}

/// One workload.
pub(super) struct Reading<'a, 'c> {
    /// Its role.
    pub(super) role: &'a str,
    /// `Kind/name`, for problems only.
    pub(super) object: String,
    /// The fields down to the pod template, as `spec.template.`; empty for a pod.
    pub(super) prefix: String,
    /// The pod template.
    pub(super) template: &'a Value,
    /// What the agent declares.
    pub(super) declaration: &'a Declaration,
    /// Where configuration comes from.
    pub(super) loader: &'a mut Loader<'c>,
    /// What the workload is made of.
    pub(super) parts: Vec<Component>,
    /// What is kept beside.
    pub(super) notes: &'a mut Notes,
}

impl Reading<'_, '_> {
    pub(super) fn add(&mut self, component: Component) {
        self.parts.push(component);
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.notes.problems.push(problem);
    }

    /// Reports something that blocks.
    pub(super) fn block(&mut self, reason: ProblemReason, field: &str, message: String, fix: &str) {
        let (object, field, fix) = (self.object.clone(), field.to_owned(), fix.to_owned());
        self.report(Problem {
            reason,
            object,
            field,
            message,
            fix,
            blocking: true,
        });
    }

    pub(super) fn bind(&mut self, name: &str, place: &str, value: &str) {
        let values = self
            .notes
            .bound
            .entry(name.to_owned())
            .or_default()
            .entry(place.to_owned())
            .or_default();
        values.insert(value.to_owned());
    }

    pub(super) fn find(&mut self, facet: Facet, name: &str) {
        self.notes.found.insert((facet, name.to_owned()));
    }

    /// Whether a declared place is in this container. A place without a container means the only one.
    pub(super) fn is_at(&self, place: &Place, container: &Who<'_>) -> bool {
        place.role == self.role
            && place
                .container
                .as_deref()
                .map_or(container.only, |name| name == container.name)
    }

    /// The declared binding of an environment variable.
    pub(super) fn binding_of(&self, variable: &str) -> Option<Binding> {
        self.declaration
            .bindings
            .iter()
            .find(|binding| binding.env.as_deref() == Some(variable))
            .cloned()
    }

    /// The declared binding of a mount path.
    pub(super) fn binding_at(&self, path: &str) -> Option<Binding> {
        let same = |mount: &String| mount.trim_end_matches('/') == path.trim_end_matches('/');
        self.declaration
            .bindings
            .iter()
            .find(|binding| binding.secret_mount.as_ref().is_some_and(same))
            .cloned()
    }
}

/// A container, as it is referred to.
#[derive(Debug, Clone)]
pub(super) struct Who<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// `role/name`, the name of its component.
    pub(super) label: String,
    /// Its fields, as `spec.template.spec.containers[0]`.
    pub(super) at: String,
    /// Whether it is the pod's only one.
    pub(super) only: bool,
}

/// A string field, or the empty string.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of a list field, with their indices.
pub(super) fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (usize, &'v Value)> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
}

/// Whether a boolean field is set.
pub(super) fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}
