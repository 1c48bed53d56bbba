//! `diff` of manifests.

use crate::program::run;

#[test]
fn what_changed_is_shown_with_its_text() {
    insta::assert_snapshot!(run(&["diff", "-f", "refund", "-f", "refund-next"]).all());
    insta::assert_snapshot!("nothing_changed", run(&["diff", "-f", "refund", "-f", "refund"]).all());
}

#[test]
fn one_or_two_things_are_compared() {
    for line in [&["diff"][..], &["diff", "-f", "refund", "-f", "refund", "-f", "refund"]] {
        let ran = run(line);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("things cannot be compared"), "{}", ran.err);
    }
}
