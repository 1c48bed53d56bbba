//! Every stable word that the program or a policy can say is explained in the book, and nothing is explained that no one says. What the
//! book links to is there.

use regex::Regex;
use serde::de::DeserializeOwned;
use std::{collections::BTreeSet, fs, path::Path};
use vouchsafe_api::{
    conditions::{ConditionType, Reason},
    promotion::status::{Outcome, Verdict},
};
use vouchsafe_core::{decision::OutcomeReason, surface::ProblemReason};

/// Where they are explained.
const PAGE: &str = "docs/book/troubleshooting.md";
/// Words in CamelCase that the shell's sources hold and that are no reasons: kinds and fields' values of Kubernetes.
const OF_KUBERNETES: &[&str] = &[
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "ServiceAccount",
    "StatefulSet",
    "ValidatingAdmissionPolicy",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Words between backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    let word = Regex::new("`([A-Z][A-Za-z]+)`").unwrap();
    word.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// All words of an enumeration, which its reader names when it meets another one.
fn words<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_str::<T>("\"?\"").err().unwrap().to_string();
    let words = quoted(&error);
    assert!(words.len() > 4, "`{error}` names no words");
    words
}

/// Reasons that are written out in the sources of what writes to the cluster.
fn written_out() -> BTreeSet<String> {
    let literal = Regex::new("\"([A-Z][a-z]+(?:[A-Z][a-z]+)+)\"").unwrap();
    let mut found = BTreeSet::new();
    let mut folders = vec![
        root().join("src/enforce"),
        root().join("src/record"),
        root().join("crates/vouchsafe-core/src/clearance/plan"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            found.extend(literal.captures_iter(source).map(|word| word[1].to_owned()));
        }
    }
    found.retain(|word| !OF_KUBERNETES.contains(&word.as_str()));
    found
}

/// Everything that can be said.
fn said() -> BTreeSet<String> {
    let written = written_out();
    for known in ["NotDeclared", "PodDiffersFromTemplate", "ProbeAdmitted", "LedgerFull"] {
        assert!(written.contains(known), "`{known}` was not found: the sources moved");
    }
    [
        words::<ProblemReason>(),
        words::<OutcomeReason>(),
        words::<ConditionType>(),
        words::<Reason>(),
        words::<Outcome>(),
        words::<Verdict>(),
        written,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_stable_word_is_explained() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let explained = quoted(&page);
    let missing: Vec<_> = said().into_iter().filter(|word| !explained.contains(word)).collect();
    assert!(missing.is_empty(), "{PAGE} does not explain {missing:?}");
}

#[test]
fn nothing_is_explained_that_is_never_said() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let first = Regex::new(r"(?m)^\| ([^|]*) \|").unwrap();
    let explained: BTreeSet<_> = first.captures_iter(&page).flat_map(|row| quoted(&row[1])).collect();
    let said = said();
    let unknown: Vec<_> = explained.into_iter().filter(|word| !said.contains(word)).collect();
    assert!(unknown.is_empty(), "{PAGE} explains {unknown:?}, which nothing says");
}

#[test]
fn every_policy_is_explained() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let name = Regex::new(r"(?m)^  name: (vouchsafe-[a-z-]+)$").unwrap();
    let mut policies = BTreeSet::new();
    for entry in fs::read_dir(root().join("charts/vouchsafe/policies")).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        policies.extend(name.captures_iter(&source).map(|found| found[1].to_owned()));
    }
    assert!(policies.contains("vouchsafe-pods") && policies.contains("vouchsafe-grants"));
    let missing: Vec<_> = policies
        .into_iter()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{PAGE} does not explain {missing:?}");
}

/// Anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut pages: Vec<_> = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ]
    .map(|name| root().join(name))
    .into();
    for folder in ["docs/book", "docs/adr", "docs/changes", "e2e", "examples/refund-triage"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        pages.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    let link = Regex::new(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)").unwrap();
    let (mut broken, mut followed) = (Vec::new(), 0);
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for found in link.captures_iter(&text).filter(|found| !found[1].contains("://")) {
            followed += 1;
            let target = if found[1].is_empty() {
                page.clone()
            } else {
                page.with_file_name(&found[1])
            };
            let anchor = found.get(2).map(|anchor| anchor.as_str());
            let leads = match anchor {
                None => target.exists(),
                Some(anchor) => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            if !leads {
                broken.push(format!("{}: {}", page.display(), &found[0]));
            }
        }
    }
    assert!(followed > 20, "only {followed} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}
