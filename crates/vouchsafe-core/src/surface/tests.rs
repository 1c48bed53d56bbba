//! What enters the digest and what does not, on a believable agent.

mod advice;
mod bindings;
mod declared;
mod golden;
mod laws;
mod meaning;
mod problems;

use super::*;
use crate::digest::ReleaseDigest;
use serde_json::{Value, json};

/// The agent, its workload and its configuration, to be changed at will.
#[derive(Clone)]
struct Case {
    agent: Value,
    workloads: Vec<(String, Value)>,
    objects: Objects,
}

const IMAGE: &str = "registry.example/refund@sha256:1111111111111111111111111111111111111111111111111111111111111111";
const OTHER: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn refund() -> Case {
    let agent = yaml(include_str!("tests/agent.yaml"));
    let deployment = yaml(include_str!("tests/deployment.yaml"));
    let mut case = Case {
        agent,
        workloads: vec![("server".to_owned(), deployment)],
        objects: Objects::default(),
    };
    case.config(
        "prompts-abc12",
        &[("system.md", "Refund politely."), ("style.md", "Be brief.")],
    );
    case.config("limits", &[("MAX_REFUND", "50")]);
    case
}

impl Case {
    fn config(&mut self, name: &str, data: &[(&str, &str)]) {
        let data = data
            .iter()
            .map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec()))
            .collect();
        self.objects
            .config_maps
            .insert(name.to_owned(), ConfigObject { data, immutable: true });
    }

    fn resolve(&self) -> Resolved {
        let declaration: Declaration = serde_json::from_value(self.agent.clone()).unwrap();
        let workload = |(role, object): &(String, Value)| Workload {
            role: role.clone(),
            object: object.clone(),
        };
        let workloads: Vec<_> = self.workloads.iter().map(workload).collect();
        resolve(&declaration, &workloads, &self.objects)
    }

    fn digest(&self) -> ReleaseDigest {
        self.resolve().surface.digest()
    }

    fn object(&mut self) -> &mut Value {
        &mut self.workloads[0].1
    }

    /// The pod template's field at a JSON pointer.
    fn spec(&mut self, pointer: &str) -> &mut Value {
        let pointer = format!("/spec/template/spec{pointer}");
        self.object()
            .pointer_mut(&pointer)
            .unwrap_or_else(|| panic!("no {pointer}"))
    }

    fn with(mut self, change: impl FnOnce(&mut Case)) -> Case {
        change(&mut self);
        self
    }
}

fn reasons(resolved: &Resolved) -> Vec<&'static str> {
    resolved
        .problems
        .iter()
        .map(|problem| problem.reason.as_str())
        .collect()
}

/// The change leaves the release as it is.
fn same(change: impl FnOnce(&mut Case)) {
    let case = refund().with(change);
    let (before, after) = (refund().resolve(), case.resolve());
    let changes = after.surface.diff(&before.surface);
    assert_eq!(before.surface.digest(), after.surface.digest(), "{changes:#?}");
}

/// The change makes another release; these components differ.
fn differs(change: impl FnOnce(&mut Case), expected: &[&str]) {
    let case = refund().with(change);
    let (before, after) = (refund().resolve(), case.resolve());
    assert_ne!(before.surface.digest(), after.surface.digest());
    let changes = after.surface.diff(&before.surface);
    let names: Vec<_> = changes
        .iter()
        .map(|change| format!("{:?} {} {}", change.kind, change.facet, change.name))
        .collect();
    assert_eq!(names, expected, "{changes:#?}");
}

fn insert(value: &mut Value, key: &str, field: Value) {
    value.as_object_mut().unwrap().insert(key.to_owned(), field);
}
