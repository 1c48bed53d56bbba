//! The decision as SARIF 2.1.0, for code scanning.
//!
//! One result for every problem and for every check that is not passed, at the manifest that it is about.

use super::{Judged, Report};
use crate::cli::manifests::{Manifest, Manifests, files, word};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vouchsafe_core::{
    decision::{CheckOutcome, Outcome, RESOLUTION},
    surface::Problem,
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Lines between an object's kind and its name, at most.
const NEAR: usize = 12;

/// The whole log.
pub(super) fn log(report: &Report, manifests: &Manifests) -> Value {
    let places = Places::new(manifests);
    let results: Vec<_> = report
        .judged
        .iter()
        .flat_map(|judged| results(judged, &places))
        .collect();
    let rules: BTreeSet<_> = results.iter().map(|result| word(result, "ruleId")).collect();
    let rules: Vec<_> = rules
        .into_iter()
        .map(|id| json!({"id": id, "shortDescription": {"text": id}}))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "vouchsafe", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "invocations": [{"executionSuccessful": true}],
            "automationDetails": {"id": format!("vouchsafe/{}", report.environment)},
            "results": results,
        }],
    })
}

fn results(judged: &Judged, places: &Places) -> Vec<Value> {
    let name = &judged.known.agent.name;
    let agent = format!("Agent/{name}");
    let problems = judged
        .known
        .problems
        .iter()
        .map(|problem| of_problem(problem, &agent, places));
    // Blocking problems are what keeps `resolution` from passing, and are told one by one.
    let told = judged.known.blocking().next().is_some();
    let untold = judged
        .missing()
        .filter(|outcome| !(told && outcome.check == RESOLUTION));
    let checks = untold.map(|outcome| of_check(outcome, &agent, places));
    problems.chain(checks).collect()
}

fn of_problem(problem: &Problem, agent: &str, places: &Places) -> Value {
    let object = if problem.object == "Agent" {
        agent
    } else {
        &problem.object
    };
    json!({
        "ruleId": problem.reason.as_str(),
        "level": if problem.blocking { "error" } else { "warning" },
        "message": {"text": format!("{}: {}. {}", object, problem.message, problem.fix)},
        "locations": [places.of(object, &problem.field)],
    })
}

fn of_check(outcome: &CheckOutcome, agent: &str, places: &Places) -> Value {
    let parts: Vec<_> = outcome
        .missing
        .iter()
        .map(|part| format!("{} {}", part.subject.as_str(), part.name))
        .collect();
    let parts = if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    };
    json!({
        "ruleId": outcome.check,
        "level": if outcome.outcome == Outcome::Fail { "error" } else { "warning" },
        "message": {"text": format!("{} {}: {}{parts}", outcome.check, outcome.outcome, outcome.message)},
        "locations": [places.of(agent, "")],
    })
}

/// Where objects are: file and line.
struct Places {
    by_title: BTreeMap<String, (String, usize)>,
}

impl Places {
    fn new(manifests: &Manifests) -> Self {
        let names: BTreeSet<_> = manifests
            .objects
            .iter()
            .map(|manifest| manifest.origin.file.clone())
            .collect();
        // Standard input cannot be read twice; what is in it is found at its first line.
        let read = |name: &String| files(std::slice::from_ref(name)).ok()?.pop();
        let texts: BTreeMap<_, _> = names
            .iter()
            .filter(|name| std::path::Path::new(name).is_file())
            .filter_map(|name| Some((name.clone(), String::from_utf8(read(name)?.bytes).ok()?)))
            .collect();
        let place = |manifest: &Manifest| {
            let text = texts.get(&manifest.origin.file).map_or("", String::as_str);
            let line = line(text, manifest.kind(), manifest.name());
            (manifest.title(), (manifest.origin.file.clone(), line))
        };
        Self {
            by_title: manifests.objects.iter().map(place).collect(),
        }
    }

    fn of(&self, object: &str, field: &str) -> Value {
        let logical = if field.is_empty() {
            object.to_owned()
        } else {
            format!("{object}.{field}")
        };
        let mut location = json!({"logicalLocations": [{"fullyQualifiedName": logical}]});
        if let (Some((file, line)), Some(fields)) = (self.by_title.get(object), location.as_object_mut()) {
            let physical = json!({"artifactLocation": {"uri": file}, "region": {"startLine": line}});
            fields.insert("physicalLocation".to_owned(), physical);
        }
        location
    }
}

/// The line of `kind: …` near which the name is; 1 when it is not found.
fn line(text: &str, kind: &str, name: &str) -> usize {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_kind = |line: &str| {
        line.trim_start_matches("- ")
            .strip_prefix("kind:")
            .is_some_and(|rest| rest.trim().trim_matches(['"', '\'']) == kind)
    };
    let named = |at: usize| {
        let near = lines.iter().skip(at.saturating_sub(NEAR)).take(2 * NEAR);
        near.into_iter().any(|line| line.contains(&format!("name: {name}")))
    };
    let found = lines.iter().enumerate().find(|(at, line)| is_kind(line) && named(*at));
    found.map_or(1, |(at, _)| at + 1)
}
