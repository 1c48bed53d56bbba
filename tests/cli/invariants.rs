//! What ARCHITECTURE.md says is absent, is absent.

use regex::Regex;
use std::{fs, path::Path};

/// Files below a folder that hold a pattern, as paths from the root.
fn files_with(folder: &str, pattern: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pattern = Regex::new(pattern).unwrap();
    let (mut folders, mut found, mut seen) = (vec![root.join(folder)], Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            seen += 1;
            let Ok(text) = fs::read_to_string(&path) else { continue };
            if pattern.is_match(&text) {
                let name = path.strip_prefix(root).unwrap();
                found.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    assert!(seen > 0, "`{folder}` is empty");
    found.sort();
    found
}

/// Those that are in none of the places.
fn elsewhere(found: &[String], places: &[&str]) -> Vec<String> {
    let strays = found
        .iter()
        .filter(|name| !places.iter().any(|place| name.starts_with(place)));
    strays.cloned().collect()
}

#[test]
fn only_enforcing_and_people_write_to_the_cluster() {
    let found = files_with("src", r"\b(Post|Patch|Delete|Evict)Params\b");
    assert!(found.iter().any(|name| name == "src/enforce/write.rs"), "{found:?}");
    // The operator asks who it is, and seeks its Lease; people act with their own rights.
    let strays = elsewhere(
        &found,
        &[
            "src/enforce",
            "src/cli/cluster.rs",
            "src/operator/args.rs",
            "src/operator/lease.rs",
        ],
    );
    assert!(strays.is_empty(), "{strays:?} write to the cluster");
}

#[test]
fn the_operator_has_one_clock() {
    let found = files_with("src", r"\b(Timestamp|SystemTime|Zoned)::now\b");
    assert!(found.iter().any(|name| name == "src/enforce.rs"), "{found:?}");
    let strays = elsewhere(&found, &["src/enforce.rs", "src/operator/args.rs", "src/cli/"]);
    assert!(strays.is_empty(), "{strays:?} ask for the time");
}

#[test]
fn nothing_of_ours_runs_inside_a_request_where_policies_can() {
    assert_eq!(files_with("charts", "kind: ValidatingWebhookConfiguration"), [""; 0]);
    // ADR 14. The suite shows that the chart installs neither where the API server serves mutating policies.
    let found = files_with("charts", "kind: MutatingWebhookConfiguration");
    assert_eq!(
        found,
        [
            "charts/vouchsafe/policies/webhooks.yaml",
            "charts/vouchsafe/templates/namespaces.yaml"
        ]
    );
    let policies = files_with("charts", "kind: (Validating|Mutating)AdmissionPolicy\n");
    assert!(policies.len() > 4, "{policies:?}");
}

#[test]
fn one_crate_names_sigstore() {
    let manifests = files_with("crates", r"(?m)^sigstore[a-z-]*[. ]");
    assert_eq!(manifests, ["crates/vouchsafe-evidence/Cargo.toml"]);
}

#[test]
fn spans_are_made_in_one_place() {
    let found = files_with("src", r"\bopentelemetry");
    assert!(found.iter().any(|name| name == "src/traces.rs"), "{found:?}");
    let strays = elsewhere(&found, &["src/traces"]);
    assert!(strays.is_empty(), "{strays:?} name OpenTelemetry");
    let manifests = files_with("crates", r"(?m)^opentelemetry");
    assert!(manifests.is_empty(), "{manifests:?} depend on it");
}

#[test]
fn the_core_depends_on_nothing_that_reaches_outside() {
    let found = files_with(
        "crates/vouchsafe-core",
        r"(?m)^(kube|k8s-openapi|tokio|hyper[a-z-]*|rustls|reqwest|rand|getrandom|ureq)[. ]",
    );
    assert!(found.is_empty(), "{found:?}");
}
