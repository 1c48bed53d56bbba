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

#[test]
fn every_workload_that_no_agent_names_gets_one() {
    let ran = run(&[
        "adopt",
        "--all",
        "-f",
        "adopt",
        "-n",
        "support-prod",
        "--team",
        "support",
    ]);
    insta::assert_snapshot!(ran.all());
    // What is written can be read, and nothing that was guessed stands in its own way.
    let manifests = ["workloads.yaml"].map(|file| std::fs::read_to_string(folder().join("adopt").join(file)).unwrap());
    let all = [ran.out, manifests.join("---\n")].join("---\n");
    let digest = run_with(&["digest", "-f", "-", "-n", "support-prod", "--output", "json"], &all);
    assert_eq!(digest.code, 0, "{}", digest.err);
    let known: serde_json::Value = serde_json::from_str(&digest.out).unwrap();
    let mut problems: Vec<_> = known["agents"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|agent| agent["problems"].as_array().unwrap())
        .filter(|problem| problem["blocking"] == true)
        .map(|problem| problem["reason"].as_str().unwrap())
        .collect();
    problems.sort_unstable();
    problems.dedup();
    assert_eq!(problems, ["ImageNotPinned"]);
    // Once they are declared nothing is left to do.
    let again = run_with(&["adopt", "--all", "-f", "-", "-n", "support-prod"], &all);
    assert_eq!((again.code, again.out.as_str()), (0, ""), "{}", again.err);
    assert!(again.err.contains("is named by an Agent"), "{}", again.err);
}

#[test]
fn files_are_written_once_and_never_over() {
    let place = std::env::temp_dir().join(format!("vouchsafe-adopt-{}", std::process::id()));
    let folder = place.join("agents");
    let name = folder.to_str().unwrap();
    let adopt = || run(&["adopt", "--all", "-f", "adopt", "-o", name]);
    let ran = adopt();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let expected = ["triage.yaml", "memory-daemonset.yaml", "triage-cronjob.yaml"].map(|file| format!("{name}/{file}"));
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), expected);
    let file = folder.join("triage.yaml");
    assert!(std::fs::read_to_string(&file).unwrap().contains("kind: Agent"));
    std::fs::write(&file, "completed").unwrap();
    let again = adopt();
    let left = again
        .err
        .lines()
        .filter(|line| line.starts_with("left as it is: "))
        .count();
    assert_eq!((again.code, again.out.as_str(), left), (0, "", 3), "{}", again.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "completed");
    let ran = run(&["adopt", "--all", "-f", "adopt", "-o", file.to_str().unwrap()]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("cannot be written"), "{}", ran.err);
    std::fs::remove_dir_all(place).unwrap();
}
