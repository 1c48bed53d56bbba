//! Help is part of the interface.

use crate::program::run;

const VERBS: &[&str] = &["digest"];

#[test]
fn help_says_what_there_is() {
    insta::assert_snapshot!("help", run(&["--help"]).all());
    for verb in VERBS {
        let help = run(&[verb, "--help"]);
        assert!(help.out.contains("Example:\n  "), "{verb} shows no example");
        insta::assert_snapshot!(format!("help_{verb}"), help.all());
    }
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
