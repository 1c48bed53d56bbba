//! What cannot be followed is said, with the object and the field, and is unresolved.

use super::*;

fn check(change: impl FnOnce(&mut Case), expected: &[(&str, &str)]) -> Resolved {
    let resolved = refund().with(change).resolve();
    let found: Vec<_> = resolved
        .problems
        .iter()
        .map(|problem| (problem.reason.as_str(), problem.field.as_str()))
        .collect();
    assert_eq!(found, expected, "{:#?}", resolved.problems);
    assert!(
        resolved
            .problems
            .iter()
            .all(|problem| problem.blocking && !problem.fix.is_empty())
    );
    assert!(resolved.surface.unresolved().next().is_some());
    resolved
}

#[test]
fn a_tag_is_named_with_its_fix() {
    let resolved = check(
        |case| *case.spec("/containers/0/image") = json!("registry.example/refund:v7"),
        &[("ImageNotPinned", "spec.template.spec.containers[0].image")],
    );
    assert_eq!(resolved.problems[0].object, "Deployment/refund-triage");
    assert!(resolved.problems[0].fix.contains("vouchsafe pin"));
    let volume = "spec.template.spec.volumes[4].image.reference";
    check(
        |case| *case.spec("/volumes/4/image/reference") = json!("skills:v1"),
        &[("ImageNotPinned", volume)],
    );
    for reference in ["", "@sha256:x", "x@sha256:ABC", "x@sha512:11"] {
        let field = "spec.template.spec.initContainers[1].image";
        check(
            |case| *case.spec("/initContainers/1/image") = json!(reference),
            &[("ImageNotPinned", field)],
        );
    }
}

#[test]
fn missing_configuration_is_named() {
    let resolved = check(
        |case| _ = case.objects.config_maps.remove("prompts-abc12"),
        &[
            ("ConfigMapNotFound", "spec.template.spec.volumes[0].configMap"),
            ("PromptNotFound", "spec.prompts[0].in"),
        ],
    );
    assert!(
        resolved
            .configuration
            .iter()
            .any(|reference| reference.name == "prompts-abc12" && !reference.present)
    );
    let field = "spec.template.spec.containers[0].env[6].valueFrom.configMapKeyRef";
    check(
        |case| _ = case.objects.config_maps.remove("limits"),
        &[("ConfigMapNotFound", field)],
    );
    check(
        |case| case.config("limits", &[("other", "x")]),
        &[("ConfigKeyNotFound", field)],
    );
    let field = "spec.template.spec.containers[0].volumeMounts[3]";
    check(
        |case| *case.spec("/containers/0/volumeMounts/3/name") = json!("none"),
        &[("VolumeNotFound", field)],
    );
}

#[test]
fn secrets_that_cannot_be_read_are_named() {
    struct Forbidden(Objects);
    impl Content for Forbidden {
        fn config_map(&self, name: &str) -> Lookup<ConfigObject> {
            self.0.config_map(name)
        }
        fn secret(&self, _: &str) -> Lookup<ConfigObject> {
            Lookup::Unknown("forbidden".to_owned())
        }
    }
    let mut case = refund();
    let declaration: Declaration = serde_json::from_value(case.agent.clone()).unwrap();
    let run = |case: &Case| {
        let workloads = [Workload {
            role: "server".to_owned(),
            object: case.workloads[0].1.clone(),
        }];
        resolve(&declaration, &workloads, &Forbidden(case.objects.clone()))
    };
    assert_eq!(reasons(&run(&case)), Vec::<&str>::new(), "credentials are not read");
    *case.spec("/containers/0/volumeMounts/1/mountPath") = json!("/elsewhere");
    let resolved = run(&case);
    assert_eq!(reasons(&resolved), ["SecretNotReadable", "BindingUnused"]);
    assert!(resolved.problems[0].fix.contains("secretMount"));
}

#[test]
fn content_is_bounded() {
    let huge = "x".repeat(1024 * 1024);
    let field = "spec.template.spec.containers[0].env[6].valueFrom.configMapKeyRef";
    check(
        |case| case.config("limits", &[("MAX_REFUND", &huge)]),
        &[("ContentTooLarge", field)],
    );
    let large = "x".repeat(1024 * 1000);
    let resolved = refund().with(|case| {
        for index in 0..17 {
            case.config(&format!("big{index}"), &[("k", &large)]);
            let name = format!("b{index}");
            let mount = json!({"name": name, "mountPath": format!("/{name}")});
            case.spec("/containers/0/volumeMounts")
                .as_array_mut()
                .unwrap()
                .push(mount);
            let volume = json!({"name": name, "configMap": {"name": format!("big{index}")}});
            case.spec("/volumes").as_array_mut().unwrap().push(volume);
        }
    });
    assert_eq!(reasons(&resolved.resolve()), ["ContentTooLarge"]);
}

#[test]
fn many_files_are_one_component_and_many_containers_are_cut() {
    let files: Vec<_> = (0..40).map(|index| (format!("f{index}"), "x")).collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), *text))
        .chain([("system.md", "p")])
        .collect();
    let resolved = refund().with(|case| case.config("prompts-abc12", &files)).resolve();
    let names: Vec<_> = resolved
        .surface
        .of(Facet::Config)
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["server/agent:/etc/agent/"]);
    let crowd = |image: &str| {
        refund().with(|case| {
            for index in 0..500 {
                let container = json!({"name": format!("c{index}"), "image": if index == 499 { image } else { IMAGE }});
                case.spec("/containers").as_array_mut().unwrap().push(container);
            }
        })
    };
    let resolved = crowd(IMAGE).resolve();
    assert_eq!(resolved.surface.components().len(), MAX_COMPONENTS);
    assert!(reasons(&resolved).contains(&"SurfaceTooLarge"));
    assert_ne!(
        crowd(IMAGE).digest(),
        crowd(&format!("x@{OTHER}")).digest(),
        "nothing is dropped in silence"
    );
    assert!(Surface::from_claim(resolved.surface.components().to_vec()).is_ok());
}

#[test]
fn missing_workloads_are_named() {
    let resolved = refund().with(|case| case.workloads.clear()).resolve();
    assert!(reasons(&resolved).contains(&"WorkloadNotFound"));
    let resolved = refund()
        .with(|case| *case.object() = json!({"kind": "Service", "metadata": {"name": "x"}}))
        .resolve();
    assert!(reasons(&resolved).contains(&"WorkloadWithoutPods"));
}

#[test]
fn alike_workloads_of_one_role_are_one() {
    let twice = refund().with(|case| case.workloads.push(case.workloads[0].clone()));
    assert_eq!(twice.digest(), refund().digest());
    let other = refund().with(|case| *case.spec("/containers/0/command/0") = json!("other"));
    let both = refund().with(|case| case.workloads.extend(other.workloads.clone()));
    let reversed = both.clone().with(|case| case.workloads.reverse());
    assert_eq!(both.digest(), reversed.digest());
    assert_ne!(both.digest(), refund().digest());
    assert_ne!(both.digest(), other.digest());
}
