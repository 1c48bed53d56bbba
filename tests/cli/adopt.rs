//! `adopt`.

use crate::program::{folder, run, run_with};

#[test]
fn a_guess_is_written_with_comments() {
    let ran = run(&["adopt", "-f", "refund"]);
    insta::assert_snapshot!(ran.all());
    let rest = ["config.yaml", "deployment.yaml"]
        .map(|file| std::fs::read_to_string(folder().join("refund").join(file)).unwrap());
    let manifests = [ran.out, rest.join("---\n")].join("---\n");
    let digest = run_with(&["digest", "-f", "-"], &manifests);
    assert_eq!(digest.code, 0, "{}", digest.err);
    assert!(digest.out.contains("release     v1:sha256:"), "{}", digest.out);
}

#[test]
fn without_workloads_there_is_nothing_to_adopt() {
    let ran = run(&["adopt", "-f", "refund/config.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(
        ran.err.contains("there are no workloads in the manifests"),
        "{}",
        ran.err
    );
}
