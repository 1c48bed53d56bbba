//! Help is part of the interface.

use crate::program::run;

const VERBS: &[&str] = &[
    "adopt",
    "approve",
    "attest",
    "check",
    "completions",
    "diff",
    "digest",
    "inbox",
    "operator",
    "pin",
    "promote",
    "reject",
    "status",
    "version",
    "waive",
    "why",
];

#[test]
fn help_says_what_there_is() {
    insta::assert_snapshot!("help", run(&["--help"]).all());
    // The operator's flags are its own business.
    for verb in VERBS.iter().filter(|verb| **verb != "operator") {
        let help = run(&[verb, "--help"]);
        assert!(help.out.contains("Example:\n  "), "{verb} shows no example");
        insta::assert_snapshot!(format!("help_{verb}"), help.all());
    }
}

#[test]
fn every_verb_is_tried_here() {
    let help = run(&["--help"]).out;
    let verbs = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut listed: Vec<_> = verbs
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, VERBS);
}

#[test]
fn the_plugin_calls_itself_by_kubectl() {
    let ran = crate::program::run_as("kubectl-vouchsafe", &["status", "--help"]);
    assert!(ran.out.contains("Usage: kubectl vouchsafe status"), "{}", ran.out);
}

#[test]
fn usage_errors_end_with_2() {
    for line in [
        &["nothing"][..],
        &["digest"],
        &["digest", "-f"],
        &["digest", "--what", "-f", "x"],
    ] {
        let ran = run(line);
        assert_eq!(ran.code, 2, "{line:?}");
        assert!(ran.err.contains("Usage:") || ran.err.contains("--help"), "{}", ran.err);
    }
}
