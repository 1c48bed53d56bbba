//! Every case in `tests/cases`, and what has to be true of each of them.

use crate::case::{Case, by_name, differences};
use std::{fs, path::PathBuf};
use vouchsafe_core::decision::{Decision, Facts, Past, decide};

fn all() -> Vec<(String, Case)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let cases = paths.iter().filter(|path| name(path) != "base");
    cases
        .map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let case = std::panic::catch_unwind(|| Case::read(&text));
            (
                name(path),
                case.unwrap_or_else(|_| panic!("cannot read {}", path.display())),
            )
        })
        .collect()
}

#[test]
fn every_case_is_decided_as_it_says() {
    let cases = all();
    assert!(cases.len() >= 70, "only {} cases were found", cases.len());
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        for (index, (step, decision)) in case.decide().into_iter().enumerate() {
            assert!(step.expect.is_object(), "{name} expects nothing in step {index}");
            let mut found = Vec::new();
            differences(&step.expect, &by_name(&decision), "", &mut found);
            if !found.is_empty() {
                let found = found.join("\n    ");
                wrong.push(format!(
                    "{name}, step {index} ({}):\n    {found}\n  {decision:#?}",
                    case.about
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

/// The facts of the next decision.
pub(crate) fn remembering(facts: &Facts, decision: &Decision) -> Facts {
    let past: Past = decision.past(facts.past.as_ref());
    Facts {
        past: Some(past),
        seen: decision.seen.clone(),
        ..facts.clone()
    }
}

#[test]
fn a_decision_stands_until_its_review_and_changes_then() {
    for (name, case) in all() {
        for (step, decision) in case.decide() {
            let facts = remembering(&step.facts, &decision);
            let again = |at| decide(&step.policy, &case.release(), &facts, at);
            assert_eq!(again(step.now), decision, "{name} is decided otherwise when remembered");
            let Some(review) = decision.next_review_at else {
                continue;
            };
            assert!(review > step.now, "{name}");
            let just_before = review - jiff::SignedDuration::from_nanos(1);
            assert_eq!(again(just_before), decision, "{name} changes before its review");
            let changed = again(review);
            let same = Decision {
                next_review_at: decision.next_review_at,
                ..changed.clone()
            };
            assert_ne!(same, decision, "{name} does not change at its review");
        }
    }
}

#[test]
fn order_and_duplicates_mean_nothing() {
    for (name, case) in all() {
        for (step, decision) in case.decide() {
            let mut facts = step.facts.clone();
            facts.evidence.extend(facts.evidence.clone());
            facts.evidence.reverse();
            facts.signatures.extend(facts.signatures.clone());
            facts.signatures.reverse();
            facts.approvals.extend(facts.approvals.clone());
            facts.approvals.reverse();
            facts.waivers.extend(facts.waivers.clone());
            facts.waivers.reverse();
            facts.runs.extend(facts.runs.clone());
            facts.runs.reverse();
            facts.problems.reverse();
            facts.unknown.reverse();
            facts.seen.rejects.reverse();
            facts.seen.failures.reverse();
            assert_eq!(
                decide(&step.policy, &case.release(), &facts, step.now),
                decision,
                "{name}"
            );
        }
    }
}

#[test]
fn a_decision_is_read_as_it_was_written() {
    for (name, case) in all() {
        for (step, decision) in case.decide() {
            let text = serde_json::to_string(&decision).unwrap();
            assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision, "{name}");
            let facts = serde_json::to_string(&step.facts).unwrap();
            assert_eq!(serde_json::from_str::<Facts>(&facts).unwrap(), step.facts, "{name}");
        }
    }
}
