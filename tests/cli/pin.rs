//! `pin`, as far as it goes without a registry.

use crate::program::{run, run_with};

#[test]
fn what_is_pinned_needs_no_registry() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'r.example/a@sha256:1111111111111111111111111111111111111111111111111111111111111111'}]}\n";
    let ran = run_with(&["pin", "-f", "-"], pod);
    assert_eq!((ran.code, ran.out.as_str()), (0, "Every image is pinned.\n"));
    let ran = run_with(&["pin", "-f", "-", "--write"], pod);
    assert_eq!((ran.code, ran.out.as_str()), (0, pod));
}

#[test]
fn a_registry_that_cannot_be_asked_is_said() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: '127.0.0.1:1/a:1'}, {name: b, image: 'r.example/B'}]}\n";
    let ran = run_with(&["pin", "-f", "-"], pod);
    insta::assert_snapshot!("private", ran.all());
    let ran = run_with(&["pin", "-f", "-", "--plain-http-registry", "127.0.0.1:1"], pod);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("`127.0.0.1:1` cannot be reached"), "{}", ran.err);
}

#[test]
fn a_chart_says_nothing_of_itself() {
    assert_eq!(run(&["pin", "-f", "nowhere"]).code, 2);
}
