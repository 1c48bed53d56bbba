//! Advice on manifests.

use super::*;

fn check(case: &Case, manifests: &[Value], expected: &[(&str, &str)]) {
    let declaration: Declaration = serde_json::from_value(case.agent.clone()).unwrap();
    let workloads = [Workload {
        role: "server".to_owned(),
        object: case.workloads[0].1.clone(),
    }];
    let problems = advise(&declaration, &workloads, manifests);
    assert!(
        problems
            .iter()
            .all(|problem| !problem.blocking && !problem.fix.is_empty())
    );
    let found: Vec<_> = problems
        .iter()
        .map(|problem| (problem.reason.as_str(), problem.field.as_str()))
        .collect();
    assert_eq!(found, expected, "{problems:#?}");
}

fn config(name: &str, immutable: bool, annotations: &Value) -> Value {
    json!({"kind": "ConfigMap", "metadata": {"name": name, "annotations": annotations}, "immutable": immutable})
}

#[test]
fn configuration_is_named_by_content_and_kept() {
    let volume = "spec.template.spec.volumes[0].configMap";
    let kept = json!({"helm.sh/resource-policy": "keep"});
    check(&refund(), &[], &[]);
    check(
        &refund(),
        &[config("prompts-abc12", false, &kept)],
        &[("ConfigEditedInPlace", volume)],
    );
    check(
        &refund(),
        &[config("prompts-abc12", true, &json!({}))],
        &[("ConfigNotKept", "metadata.annotations")],
    );
    for annotations in [
        kept.clone(),
        json!({"argocd.argoproj.io/sync-options": "Validate=false,PruneLast=true"}),
        json!({"argocd.argoproj.io/sync-options": "Prune=false"}),
        json!({"kustomize.toolkit.fluxcd.io/prune": "disabled"}),
    ] {
        check(
            &refund(),
            &[json!({"kind": "List", "items": [config("prompts-abc12", true, &annotations)]})],
            &[],
        );
    }
    for name in ["prompts-7g2t9kfbm4", "prompts-0a1b2c3d"] {
        let hashed = refund().with(|case| *case.spec("/volumes/0/configMap/name") = json!(name));
        check(&hashed, &[config(name, false, &kept)], &[]);
    }
}

#[test]
fn a_checksum_tells_of_editing_in_place() {
    let case = refund().with(|case| {
        case.object()["spec"]["template"]["metadata"]["annotations"] = json!({"checksum/config": "1"});
        *case.spec("/containers/0/env") = json!([]);
    });
    let field = "spec.template.spec.volumes[0].configMap";
    check(&case, &[], &[("ConfigEditedInPlace", field)]);
}

#[test]
fn models_that_nobody_declared_show() {
    let with =
        |variable: Value| refund().with(|case| case.spec("/containers/0/env").as_array_mut().unwrap().push(variable));
    let field = "spec.template.spec.containers[0].env[8]";
    for name in ["OPENAI_BASE_URL", "RANKER_MODEL", "ANTHROPIC_MODEL", "LLM_ENDPOINT"] {
        check(
            &with(json!({"name": name, "value": "x"})),
            &[],
            &[("UndeclaredModel", field)],
        );
    }
    check(
        &with(json!({"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}})),
        &[],
        &[],
    );
    check(&with(json!({"name": "REMODEL", "value": "x"})), &[], &[]);
}
