//! A case: a YAML file laid over a base, with the facts in and the decision out.
//!
//! Times are written relative to `now` (`-2h`), digests of the base's surface as `$release`, `$image` and so on, and a check's definition
//! is that of the same name in the base unless it is given. What is expected is compared in part: a map's keys that are not mentioned do not
//! matter, a list of named things is a map by name, and a text that begins with `~` has to be contained.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use vouchsafe_core::{
    decision::{Decision, Facts, Policy, Release, decide},
    surface::Surface,
};

const BASE: &str = include_str!("../cases/base.yaml");

/// Fields that hold an instant.
const TIMES: [&str; 17] = [
    "startedAt",
    "finishedAt",
    "createdAt",
    "at",
    "notAfter",
    "clearedAt",
    "renewedAt",
    "failingSince",
    "revokedAt",
    "healthySince",
    "bindingsChangedAt",
    "grandfatherUntil",
    "satisfiedAt",
    "expiresAt",
    "nextReviewAt",
    "databaseTime",
    "now",
];

/// A case, complete.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) about: String,
    pub(crate) surface: Surface,
    pub(crate) steps: Vec<Step>,
}

/// One decision, and what is expected of it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) policy: Policy,
    pub(crate) facts: Facts,
    pub(crate) now: Timestamp,
    pub(crate) expect: Value,
}

pub(crate) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// Lays one value over another: maps field by field, everything else as a whole; so also what a registry said.
fn over(base: &Value, patch: &Value) -> Value {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            let mut fields = base.clone();
            for (key, value) in patch {
                let below = fields.get(key).unwrap_or(&Value::Null);
                let merged = if key == "state" {
                    value.clone()
                } else {
                    over(below, value)
                };
                fields.insert(key.clone(), merged);
            }
            Value::Object(fields)
        }
        _ => patch.clone(),
    }
}

impl Case {
    pub(crate) fn read(text: &str) -> Self {
        let (base, case) = (yaml(BASE), yaml(text));
        let known = ["about", "surface", "policy", "facts", "now", "expect", "then"];
        for key in case.as_object().unwrap().keys() {
            assert!(known.contains(&key.as_str()), "unknown key `{key}`");
        }
        let surface: Surface = serde_json::from_value(case.get("surface").unwrap_or(&base["surface"]).clone()).unwrap();
        let mut steps = Vec::new();
        let mut before = over(
            &json!({"policy": base["policy"], "facts": base["facts"], "now": base["now"]}),
            &json!({"policy": or_empty(&case, "policy"), "facts": or_empty(&case, "facts")}),
        );
        steps.push(step(&base, &surface, &before, &case["expect"]));
        for then in case.get("then").and_then(Value::as_array).into_iter().flatten() {
            let start: Timestamp = base["now"].as_str().unwrap().parse().unwrap();
            let now = relative(then["now"].as_str().unwrap(), start).unwrap();
            let patch = json!({"policy": or_empty(then, "policy"), "facts": or_empty(then, "facts"), "now": now});
            before = over(&before, &patch);
            steps.push(step(&base, &surface, &before, &then["expect"]));
        }
        Self {
            about: case["about"].as_str().unwrap().to_owned(),
            surface,
            steps,
        }
    }

    pub(crate) fn release(&self) -> Release<'_> {
        Release {
            agent: "refund",
            surface: &self.surface,
        }
    }

    /// All decisions, each remembering the one before.
    pub(crate) fn decide(&self) -> Vec<(Step, Decision)> {
        let mut made: Vec<(Step, Decision)> = Vec::new();
        for step in &self.steps {
            let mut step = step.clone();
            if let Some((before, decision)) = made.last() {
                let revoked_at = step.facts.past.as_ref().and_then(|past| past.revoked_at);
                let mut past = decision.past(before.facts.past.as_ref());
                past.revoked_at = past.revoked_at.or(revoked_at);
                step.facts.past = Some(past);
                step.facts.seen = decision.seen.clone();
            }
            let decision = decide(&step.policy, &self.release(), &step.facts, step.now);
            made.push((step, decision));
        }
        made
    }
}

fn or_empty(value: &Value, key: &str) -> Value {
    value.get(key).cloned().unwrap_or_else(|| json!({}))
}

fn step(base: &Value, surface: &Surface, input: &Value, expect: &Value) -> Step {
    // Cases lie in the base's `now`; a later step says its own.
    let start: Timestamp = base["now"].as_str().unwrap().parse().unwrap();
    let now: Timestamp = input["now"].as_str().unwrap().parse().unwrap();
    let mut policy = input["policy"].clone();
    for requirement in policy["requires"].as_array_mut().unwrap() {
        let name = requirement["check"].as_str().unwrap().to_owned();
        let definition = over(
            &base["checks"][&name],
            requirement.get("definition").unwrap_or(&json!({})),
        );
        let mut whole = over(&base["requirement"], requirement);
        let given = requirement.get("definition").is_some_and(Value::is_null);
        whole["definition"] = if given || definition.get("rule").is_none() {
            Value::Null
        } else {
            definition
        };
        *requirement = whole;
    }
    for rule in policy["approvals"].as_array_mut().unwrap() {
        *rule = over(&base["approvalRule"], rule);
    }
    let mut facts = input["facts"].clone();
    for (list, template) in [
        ("evidence", "evidence"),
        ("signatures", "signature"),
        ("approvals", "approval"),
        ("waivers", "waiver"),
        ("runs", "run"),
        ("problems", "problem"),
    ] {
        laid(&mut facts[list], &base[template]);
    }
    laid(&mut facts["seen"]["rejects"], &base["approval"]);
    laid(&mut facts["seen"]["failures"], &base["failure"]);
    let facts = resolved(facts, surface, start, "");
    let policy = resolved(policy, surface, start, "");
    Step {
        policy: serde_json::from_value(policy).unwrap(),
        facts: serde_json::from_value(facts).unwrap(),
        now,
        expect: resolved(expect.clone(), surface, start, ""),
    }
}

fn laid(list: &mut Value, template: &Value) {
    for item in list.as_array_mut().into_iter().flatten() {
        *item = over(template, item);
    }
}

/// Names of digests and relative times replaced by what they stand for.
fn resolved(value: Value, surface: &Surface, start: Timestamp, key: &str) -> Value {
    match value {
        Value::Array(items) => items
            .into_iter()
            .map(|item| resolved(item, surface, start, key))
            .collect(),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, field)| {
                    let name = digest(&key, surface).unwrap_or(key);
                    let field = resolved(field, surface, start, &name);
                    (name, field)
                })
                .collect::<Map<_, _>>(),
        ),
        Value::String(text) => {
            if let Some(digest) = digest(&text, surface) {
                return Value::String(digest);
            }
            match relative(&text, start).filter(|_| TIMES.contains(&key)) {
                Some(time) => json!(time),
                None => Value::String(text),
            }
        }
        other => other,
    }
}

fn digest(text: &str, surface: &Surface) -> Option<String> {
    let name = text.strip_prefix('$')?;
    if name == "release" {
        return Some(surface.digest().to_string());
    }
    if name == "release.digest" {
        return Some(surface.digest().digest().to_string());
    }
    let component = surface.components().iter().find(|component| component.name == name);
    let digest = component.unwrap_or_else(|| panic!("no component `{name}`")).digest;
    Some(digest.to_string())
}

fn relative(text: &str, start: Timestamp) -> Option<Timestamp> {
    if text == "now" {
        return Some(start);
    }
    let by: SignedDuration = text.strip_prefix(['+', '-'])?.parse().ok()?;
    Some(if text.starts_with('-') { start - by } else { start + by })
}

/// A decision with its lists of named things as maps.
pub(crate) fn by_name(decision: &Decision) -> Value {
    let mut value = json!(decision);
    for (list, name) in [
        ("checks", "check"),
        ("approvals", "role"),
        ("after", "environment"),
        ("waivers", "waiver"),
    ] {
        let items = value[list].as_array().unwrap().clone();
        let named = items
            .into_iter()
            .map(|item| (item[name].as_str().unwrap().to_owned(), item));
        value[list] = Value::Object(named.collect());
    }
    value
}

/// Where a value is not what is expected.
pub(crate) fn differences(expected: &Value, actual: &Value, at: &str, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (key, expected) in expected {
                differences(
                    expected,
                    actual.get(key).unwrap_or(&Value::Null),
                    &format!("{at}/{key}"),
                    found,
                );
            }
        }
        (Value::String(expected), Value::String(actual)) if expected.starts_with('~') => {
            if !actual.contains(expected.trim_start_matches('~')) {
                found.push(format!("{at}: `{actual}` does not contain `{expected}`"));
            }
        }
        _ if expected == actual => {}
        _ => found.push(format!("{at}: expected {expected}, got {actual}")),
    }
}
