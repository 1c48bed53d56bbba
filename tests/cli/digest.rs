//! `digest`.

use crate::program::{run, run_with};

#[test]
fn an_agent_has_a_digest() {
    insta::assert_snapshot!(run(&["digest", "-f", "refund"]).all());
}

#[test]
fn machines_get_all_of_it() {
    let ran = run(&["digest", "-f", "refund", "--output", "json"]);
    let read: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let agent = &read["agents"][0];
    assert_eq!(agent["agent"], "refund-triage");
    assert_eq!(agent["annotations"]["vouchsafe.dev/release"], agent["release"]);
    assert_eq!(agent["workloads"], serde_json::json!(["Deployment/refund-triage"]));
    assert_eq!(ran.code, 0);
}

#[test]
fn the_namespace_and_the_form_mean_nothing() {
    let release = |line: &[&str], input: &str| {
        let ran = run_with(line, input);
        let read: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
        read["agents"][0]["release"].as_str().unwrap().to_owned()
    };
    let plain = release(&["digest", "-f", "refund", "-o", "json"], "");
    let folder = crate::program::folder().join("refund");
    let text = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let stream = ["agent.yaml", "config.yaml", "deployment.yaml"].map(text).join("---\n");
    assert_eq!(
        release(&["digest", "-f", "-", "-n", "other", "-o", "json"], &stream),
        plain
    );
    let objects: Vec<serde_json::Value> = serde_saphyr::from_multiple(&stream).unwrap();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    assert_eq!(release(&["digest", "-f", "-", "-o", "json"], &list), plain);
}

#[test]
fn what_cannot_be_read_is_said() {
    for (name, input) in [
        ("nothing", ""),
        (
            "unknown_field",
            "apiVersion: vouchsafe.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec: {owner: {team: a}, workload: []}\n",
        ),
        ("no_kind", "a: 1\n"),
        ("no_agent", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
        ("no_yaml", "a: [1\n---\n"),
        (
            "twice",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: y}\n",
        ),
        (
            "control",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {\"x\\e[2J\": 1}\n---\napiVersion: vouchsafe.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec: {owner: {team: a}, workloads: [{role: r, apiVersion: v1, kind: Pod, name: p}]}\n",
        ),
    ] {
        let ran = run_with(&["digest", "-f", "-"], input);
        assert_eq!(ran.code, 2, "{name}");
        insta::assert_snapshot!(name, ran.all());
    }
    insta::assert_snapshot!("not_there", run(&["digest", "-f", "not-there.yaml"]).all());
    insta::assert_snapshot!(
        "no_such_agent",
        run(&["digest", "-f", "refund", "--agent", "other"]).all()
    );
}
