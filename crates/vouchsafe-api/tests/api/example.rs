//! `examples/refund-triage`: what belongs together is together, and nothing in it is refused.

use crate::judge::judge;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use vouchsafe_api::{
    AgentSpec, Check, Environment,
    lower::{self, Catalogue},
};
use vouchsafe_core::{
    digest::Digest,
    surface::{ConfigObject, Objects, Resolved, Workload, advise, resolve},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/refund-triage")
}

fn text(path: &str) -> String {
    fs::read_to_string(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every object in the YAML files of a folder.
fn objects(path: &str) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(folder().join(path))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let yaml = files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    let all = yaml.flat_map(|file| serde_saphyr::from_multiple::<Value>(&fs::read_to_string(file).unwrap()).unwrap());
    all.filter(Value::is_object).collect()
}

fn only(objects: &[Value], kind: &str) -> Value {
    let found: Vec<_> = objects.iter().filter(|object| object["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found[0].clone()
}

fn config_maps(objects: &[Value]) -> Objects {
    let mut found = Objects::default();
    for object in objects.iter().filter(|object| object["kind"] == "ConfigMap") {
        let data: BTreeMap<String, String> = serde_json::from_value(object["data"].clone()).unwrap();
        let data = data.into_iter().map(|(key, text)| (key, text.into_bytes())).collect();
        let immutable = object["immutable"] == true;
        found.config_maps.insert(
            object["metadata"]["name"].as_str().unwrap().to_owned(),
            ConfigObject { data, immutable },
        );
    }
    found
}

fn resolved(objects: &[Value]) -> Resolved {
    let spec: AgentSpec = serde_json::from_value(only(objects, "Agent")["spec"].clone()).unwrap();
    let declaration = lower::agent(&spec);
    let workloads = [Workload {
        role: "server".to_owned(),
        object: only(objects, "Deployment"),
    }];
    let advice = advise(&declaration, &workloads, objects);
    assert_eq!(advice, [], "nothing to advise");
    resolve(&declaration, &workloads, &config_maps(objects))
}

#[test]
fn the_agent_is_resolved_without_a_problem() {
    let resolved = resolved(&objects("agent"));
    assert_eq!(resolved.problems, []);
    assert_eq!(resolved.surface.unresolved().count(), 0);
    let components: Vec<String> = resolved
        .surface
        .components()
        .iter()
        .map(|part| format!("{} {}", part.facet, part.name))
        .collect();
    insta::assert_yaml_snapshot!((resolved.surface.digest(), components));
}

#[test]
fn every_form_of_it_is_one_release() {
    let plain = objects("agent");
    let config = only(&plain, "ConfigMap");
    for name in ["system.md", "limits.json"] {
        for place in ["kustomize/base", "chart/files", "chart-stable-name/files"] {
            assert_eq!(config["data"][name], text(&format!("{place}/{name}")), "{place}/{name}");
        }
    }
    assert_eq!(text("kustomize/base/agent.yaml"), text("agent/agent.yaml"));
    for chart in ["chart", "chart-stable-name"] {
        let labels = "\n  labels: {{- include \"refund-triage.labels\" . | nindent 4 }}";
        let rendered = text(&format!("{chart}/templates/agent.yaml")).replace(labels, "");
        let rendered = rendered.replace("{{ .Release.Name }}", "refund-triage");
        assert_eq!(rendered, text("agent/agent.yaml"), "{chart}");
    }
}

#[test]
fn the_configuration_is_named_by_its_content() {
    let config = only(&objects("agent"), "ConfigMap");
    let hash: String = Digest::of_json(&config["data"]).hex().chars().take(10).collect();
    assert_eq!(config["metadata"]["name"], format!("refund-triage-config-{hash}"));
}

#[test]
fn tools_are_pinned_by_their_definitions() {
    let definitions: Vec<Value> = serde_json::from_str(&text("tools.json")).unwrap();
    let defined: BTreeMap<String, String> = definitions
        .iter()
        .map(|tool| {
            (
                tool["name"].as_str().unwrap().to_owned(),
                Digest::of_json(tool).to_string(),
            )
        })
        .collect();
    let agent: AgentSpec = serde_json::from_value(only(&objects("agent"), "Agent")["spec"].clone()).unwrap();
    let pinned: BTreeMap<String, String> = agent
        .tools
        .into_iter()
        .filter_map(|tool| Some((tool.name, tool.definition_digest?)))
        .collect();
    assert_eq!(pinned, defined);
}

#[test]
fn nothing_is_refused() {
    let all: Vec<Value> = ["agent", "policies"].iter().flat_map(|path| objects(path)).collect();
    let ours: Vec<&Value> = all
        .iter()
        .filter(|object| object["apiVersion"] == "vouchsafe.dev/v1alpha1")
        .collect();
    assert_eq!(ours.len(), 9, "an Agent, three Environments, five Checks");
    for object in ours {
        let faults: Vec<String> = judge(object, None).iter().map(ToString::to_string).collect();
        assert_eq!(faults, Vec::<String>::new(), "{object}");
    }
}

fn policies() -> (Vec<Environment>, Vec<Check>) {
    let all = objects("policies");
    let of = |kind: &str| {
        all.iter()
            .filter(|object| object["kind"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    (
        serde_json::from_value(Value::Array(of("Environment"))).unwrap(),
        serde_json::from_value(Value::Array(of("Check"))).unwrap(),
    )
}

#[test]
fn policies_can_be_used() {
    let (environments, checks) = policies();
    let catalogue = Catalogue::new(&environments, &checks);
    for (name, spec) in &catalogue.environments {
        let (_, problems) = lower::policy(name, spec, &catalogue);
        assert_eq!(problems, [], "{name}");
    }
    let used: BTreeSet<&str> = environments
        .iter()
        .flat_map(|environment| &environment.spec.requires)
        .map(|wanted| wanted.check.as_str())
        .collect();
    let defined: BTreeSet<&str> = catalogue.checks.keys().copied().collect();
    assert_eq!(used, defined);
}

/// For every role that an Environment asks for there is somebody who has it.
#[test]
fn somebody_may_approve() {
    let all = objects("policies");
    let roles = all.iter().filter(|object| object["kind"] == "ClusterRole");
    let rules: Vec<&Value> = roles.flat_map(|role| role["rules"].as_array().unwrap()).collect();
    for environment in policies().0 {
        let name = environment.metadata.name.unwrap();
        for approvals in &environment.spec.approvals {
            let resource = Value::from(format!("environments/{}", approvals.role));
            let has = |rule: &Value, field: &str, value: &Value| rule[field].as_array().unwrap().contains(value);
            let granted = rules.iter().any(|rule| {
                has(rule, "resources", &resource)
                    && has(rule, "resourceNames", &name.clone().into())
                    && has(rule, "verbs", &"approve".into())
            });
            assert!(granted, "nobody may approve as {} in {name}", approvals.role);
        }
    }
}
