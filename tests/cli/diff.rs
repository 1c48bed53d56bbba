//! `diff` of manifests.

use crate::program::run;

#[test]
fn what_changed_is_shown_with_its_text() {
    insta::assert_snapshot!(run(&["diff", "-f", "refund", "-f", "refund-next"]).all());
    insta::assert_snapshot!("nothing_changed", run(&["diff", "-f", "refund", "-f", "refund"]).all());
}

#[test]
fn one_or_two_things_are_compared() {
    let three = ["diff", "-f", "refund", "-f", "refund", "-f", "refund"];
    for (line, says) in [
        (&["diff"][..], "there is nothing to compare"),
        (&three, "3 things cannot be compared"),
    ] {
        let ran = run(line);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
}
