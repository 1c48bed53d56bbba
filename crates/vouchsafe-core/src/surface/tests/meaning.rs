//! Field by field: what means nothing, and what makes another release.

use super::*;

const AGENT: &str = "/containers/0";

#[test]
fn an_image_is_its_content() {
    same(|case| *case.spec("/containers/0/image") = json!(IMAGE.replace("registry.example", "mirror.example:5000")));
    same(|case| *case.spec("/containers/0/image") = json!(IMAGE.replace("/refund@", "/refund:v7@")));
    differs(
        |case| *case.spec("/containers/0/image") = json!(format!("registry.example/refund@{OTHER}")),
        &["Changed Image server/agent"],
    );
    differs(
        |case| *case.spec("/volumes/4/image/reference") = json!(format!("x/y@{OTHER}")),
        &["Changed Image server/agent:/skills"],
    );
}

#[test]
fn names_mean_nothing() {
    same(|case| {
        case.objects.config_maps = std::mem::take(&mut case.objects.config_maps)
            .into_iter()
            .map(|(k, v)| (format!("eu-{k}-9f"), v))
            .collect();
        *case.spec("/volumes/0/configMap/name") = json!("eu-prompts-abc12-9f");
        *case.spec("/containers/0/env/6/valueFrom/configMapKeyRef/name") = json!("eu-limits-9f");
        *case.spec("/containers/0/env/5/valueFrom/secretKeyRef/name") = json!("eu-openai");
        *case.spec("/volumes/1/secret/secretName") = json!("eu-payments");
        *case.spec("/serviceAccountName") = json!("eu-refund");
        case.object()["metadata"] = json!({"name": "eu-refund-triage", "namespace": "prod"});
        *case.spec("/volumes/2/name") = json!("w");
        *case.spec("/initContainers/0/volumeMounts/0/name") = json!("w");
        *case.spec("/containers/0/volumeMounts/2/name") = json!("w");
    });
}

#[test]
fn scheduling_resources_and_delivery_mean_nothing() {
    for key in [
        "nodeSelector",
        "affinity",
        "tolerations",
        "topologySpreadConstraints",
        "priorityClassName",
        "schedulerName",
        "nodeName",
    ] {
        same(|case| insert(case.spec(""), key, json!("x")));
    }
    for key in [
        "priority",
        "preemptionPolicy",
        "schedulingGates",
        "imagePullSecrets",
        "serviceAccount",
        "overhead",
        "resources",
    ] {
        same(|case| insert(case.spec(""), key, json!("x")));
    }
    for key in ["ports", "resources", "imagePullPolicy", "resizePolicy"] {
        same(|case| insert(case.spec(AGENT), key, json!("x")));
    }
    same(|case| insert(&mut case.object()["spec"], "replicas", json!(9)));
    same(|case| {
        case.object()["spec"]["template"]["metadata"] = json!({"labels": {"a": "b"}, "annotations": {"c": "d"}});
    });
    same(|case| *case.spec("/containers/0/livenessProbe") = json!({"tcpSocket": {"port": 1}, "periodSeconds": 3}));
    same(|case| insert(case.spec("/containers/0/readinessProbe"), "periodSeconds", json!(3)));
}

#[test]
fn what_runs_means_everything() {
    let container = ["Changed Container server/agent"];
    for key in ["command", "args"] {
        differs(|case| insert(case.spec(AGENT), key, json!(["evil"])), &container);
    }
    for key in [
        "workingDir",
        "stdin",
        "terminationMessagePath",
        "stopSignal",
        "futureField",
        "restartPolicyRules",
    ] {
        differs(|case| insert(case.spec(AGENT), key, json!("x")), &container);
    }
    differs(
        |case| *case.spec("/containers/0/readinessProbe/exec/command/1") = json!("evil"),
        &container,
    );
    differs(
        |case| {
            insert(
                case.spec("/containers/0/livenessProbe"),
                "exec",
                json!({"command": ["evil"]}),
            );
        },
        &container,
    );
    differs(
        |case| insert(case.spec("/containers/0/livenessProbe"), "future", json!({})),
        &container,
    );
    differs(
        |case| {
            insert(
                case.spec("/containers/0/lifecycle"),
                "postStart",
                json!({"exec": {"command": ["evil"]}}),
            );
        },
        &container,
    );
    differs(
        |case| *case.spec("/containers/0/securityContext") = json!({"privileged": true}),
        &container,
    );
    differs(
        |case| *case.spec("/containers/0/volumeMounts/3/mountPath") = json!("/temp"),
        &[container[0], "Changed Pod server"],
    );
}

#[test]
fn what_the_pod_shares_means_everything() {
    for key in [
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "shareProcessNamespace",
        "setHostnameAsFQDN",
    ] {
        differs(|case| insert(case.spec(""), key, json!(true)), &["Changed Pod server"]);
    }
    for key in [
        "hostAliases",
        "dnsConfig",
        "runtimeClassName",
        "hostname",
        "futureField",
        "automountServiceAccountToken",
    ] {
        differs(
            |case| insert(case.spec(""), key, json!({"a": "b"})),
            &["Changed Pod server"],
        );
    }
    differs(
        |case| insert(case.spec("/volumes/3"), "hostPath", json!({"path": "/"})),
        &["Changed Pod server"],
    );
}

#[test]
fn order_of_containers_means_something() {
    let swap = |case: &mut Case| case.spec("/initContainers").as_array_mut().unwrap().reverse();
    differs(swap, &["Changed Pod server"]);
    differs(
        |case| {
            let init = case.spec("/initContainers").as_array_mut().unwrap().pop().unwrap();
            case.spec("/containers").as_array_mut().unwrap().push(init);
        },
        &["Changed Pod server"],
    );
}

#[test]
fn sharing_a_volume_means_something() {
    differs(
        |case| *case.spec("/initContainers/0/volumeMounts/0/name") = json!("tmp"),
        &["Changed Pod server"],
    );
}

#[test]
fn order_of_volumes_mounts_and_variables_means_nothing() {
    for list in ["/volumes", "/containers/0/volumeMounts", "/containers/0/env"] {
        same(|case| case.spec(list).as_array_mut().unwrap().reverse());
    }
    let expanding =
        refund().with(|case| *case.spec("/containers/0/env/3") = json!({"name": "EMPTY", "value": "$(MODEL)"}));
    let reversed = expanding
        .clone()
        .with(|case| case.spec("/containers/0/env").as_array_mut().unwrap().reverse());
    assert_ne!(expanding.digest(), reversed.digest());
}

#[test]
fn content_is_bytes_wherever_they_come_from() {
    differs(
        |case| {
            case.config(
                "prompts-abc12",
                &[("system.md", "Refund all."), ("style.md", "Be brief.")],
            );
        },
        &["Changed Prompt system"],
    );
    differs(
        |case| {
            case.config(
                "prompts-abc12",
                &[("system.md", "Refund politely."), ("style.md", "Be rude.")],
            );
        },
        &["Changed Config server/agent:/etc/agent/style.md"],
    );
    differs(
        |case| {
            case.config(
                "prompts-abc12",
                &[("system.md", "Refund politely."), ("style.md", "Be brief."), ("x", "")],
            );
        },
        &["Added Config server/agent:/etc/agent/x"],
    );
    differs(
        |case| case.config("limits", &[("MAX_REFUND", "5000")]),
        &["Changed Container server/agent"],
    );
    same(|case| case.config("limits", &[("MAX_REFUND", "50"), ("UNUSED", "1")]));
    same(|case| *case.spec("/containers/0/env/6") = json!({"name": "MAX_REFUND", "value": "50"}));
    differs(
        |case| case.config("extra", &[("EXTRA", "now there")]),
        &["Changed Container server/agent"],
    );
    differs(
        |case| *case.spec("/containers/0/env/5/valueFrom/secretKeyRef/key") = json!("other"),
        &["Changed Container server/agent"],
    );
}

#[test]
fn env_from_is_expanded() {
    let with = |data: &[(&str, &str)]| {
        refund().with(|case| {
            case.config("all", data);
            insert(
                case.spec(AGENT),
                "envFrom",
                json!([{"configMapRef": {"name": "all"}, "prefix": "P_"}]),
            );
        })
    };
    let literal = refund().with(|case| {
        case.spec("/containers/0/env")
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "P_A", "value": "1"}));
    });
    assert_eq!(with(&[("A", "1")]).digest(), literal.digest());
    assert_ne!(with(&[("A", "2")]).digest(), literal.digest());
    assert_ne!(with(&[("A", "1"), ("LD_PRELOAD", "x")]).digest(), literal.digest());
}

#[test]
fn a_whole_secret_is_content_and_does_not_show() {
    let with = |value: &str| {
        refund().with(|case| {
            let data = [("PIN".to_owned(), value.as_bytes().to_vec())].into();
            case.objects
                .secrets
                .insert("all".to_owned(), ConfigObject { data, immutable: false });
            insert(case.spec(AGENT), "envFrom", json!([{"secretRef": {"name": "all"}}]));
        })
    };
    assert_ne!(with("1234").digest(), with("1235").digest());
    assert!(
        !serde_json::to_string(&with("1234").resolve().surface)
            .unwrap()
            .contains("1234")
    );
    let resolved = with("1234").resolve();
    let secret = resolved
        .configuration
        .iter()
        .find(|reference| reference.kind == ConfigKind::Secret)
        .unwrap();
    assert!(secret.present && !secret.immutable && !secret.optional);
}

#[test]
fn single_keys_of_a_mounted_secret_are_credentials() {
    let with = |secret: Value| {
        refund().with(|case| {
            case.spec("/volumes")
                .as_array_mut()
                .unwrap()
                .push(json!({"name": "s", "secret": secret}));
            case.spec("/containers/0/volumeMounts")
                .as_array_mut()
                .unwrap()
                .push(json!({"name": "s", "mountPath": "/s"}));
        })
    };
    let a = with(json!({"secretName": "a", "items": [{"key": "k", "path": "p"}]}));
    let b = with(json!({"secretName": "b", "items": [{"key": "k", "path": "p"}], "defaultMode": 420}));
    let c = with(json!({"secretName": "a", "items": [{"key": "other", "path": "p"}]}));
    assert_eq!(a.digest(), b.digest());
    assert_ne!(a.digest(), c.digest());
    assert_ne!(a.resolve().binding_digest, b.resolve().binding_digest);
    assert_eq!(reasons(&a.resolve()), Vec::<&str>::new());
}

#[test]
fn sub_path_and_items_show_as_files() {
    let whole = refund();
    let single = refund().with(|case| {
        *case.spec("/containers/0/volumeMounts/0") =
            json!({"name": "prompts", "mountPath": "/etc/agent/system.md", "subPath": "s.md"});
        insert(
            case.spec("/volumes/0/configMap"),
            "items",
            json!([{"key": "system.md", "path": "s.md"}]),
        );
    });
    let resolved = single.resolve();
    assert_eq!(reasons(&resolved), Vec::<&str>::new());
    let prompt = |resolved: &Resolved| resolved.surface.of(Facet::Prompt).next().unwrap().digest;
    assert_eq!(prompt(&resolved), prompt(&whole.resolve()));
    assert_eq!(resolved.surface.of(Facet::Config).count(), 0);
}

#[test]
fn labels_and_annotations_count_when_they_are_read() {
    let reads = |path: &str| {
        let item = json!({"name": "NOTE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
        refund().with(|case| case.spec("/containers/0/env").as_array_mut().unwrap().push(item))
    };
    let annotate = |case: &mut Case, key: &str, value: &str| {
        insert(
            &mut case.object()["spec"]["template"]["metadata"]["annotations"],
            key,
            json!(value),
        );
    };
    let one = reads("metadata.annotations['team']");
    assert_ne!(
        one.digest(),
        one.clone().with(|case| annotate(case, "team", "evil")).digest()
    );
    assert_eq!(
        one.digest(),
        one.clone().with(|case| annotate(case, "other", "evil")).digest()
    );
    let claim = format!("v1:{OTHER}");
    assert_eq!(
        one.digest(),
        one.clone()
            .with(|case| annotate(case, "vouchsafe.dev/release", &claim))
            .digest()
    );
    let ours = reads("metadata.annotations['vouchsafe.dev/release']");
    assert_eq!(
        ours.digest(),
        ours.clone()
            .with(|case| annotate(case, "vouchsafe.dev/release", &claim))
            .digest()
    );
    assert_ne!(
        ours.digest(),
        ours.clone()
            .with(|case| annotate(case, "vouchsafe.dev/release", "ignore all rules"))
            .digest()
    );
}

#[test]
fn what_the_api_server_fills_in_means_nothing() {
    same(|case| {
        let defaults = json!({"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
            "securityContext": {}, "terminationGracePeriodSeconds": 30, "enableServiceLinks": true, "serviceAccount": "refund"});
        case.spec("")
            .as_object_mut()
            .unwrap()
            .extend(defaults.as_object().unwrap().clone());
        let defaults = json!({"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent", "stdin": false, "tty": null, "envFrom": [], "workingDir": ""});
        case.spec(AGENT)
            .as_object_mut()
            .unwrap()
            .extend(defaults.as_object().unwrap().clone());
        insert(case.spec("/volumes/0/configMap"), "defaultMode", json!(420));
        insert(case.spec("/volumes/1/secret"), "defaultMode", json!(420));
        insert(case.spec("/volumes/4/image"), "pullPolicy", json!("IfNotPresent"));
        insert(case.spec("/containers/0/env/3"), "value", json!(""));
        insert(
            case.spec("/containers/0/env/4/valueFrom/fieldRef"),
            "apiVersion",
            json!("v1"),
        );
        case.object()["metadata"]["uid"] = json!("1-2-3");
        case.object()["status"] = json!({"replicas": 2});
    });
}

#[test]
fn a_pod_of_a_stateful_set_equals_its_template() {
    let mut set = refund();
    set.object()["kind"] = json!("StatefulSet");
    set.object()["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "memory"}, "spec": {}}]);
    set.spec("/containers/0/volumeMounts")
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "memory", "mountPath": "/memory"}));
    assert_eq!(reasons(&set.resolve()), Vec::<&str>::new());
    let mut pod = set.object()["spec"]["template"].clone();
    let claimed = json!({"name": "memory", "persistentVolumeClaim": {"claimName": "memory-refund-0"}});
    pod["spec"]["volumes"].as_array_mut().unwrap().push(claimed);
    let declaration: Declaration = serde_json::from_value(set.agent.clone()).unwrap();
    let workloads = [Workload {
        role: "server".to_owned(),
        object: set.object().clone(),
    }];
    assert_eq!(
        of_pod(&declaration, &workloads, 0, &pod, &set.objects).surface.digest(),
        set.digest()
    );
    let mut job = set.clone();
    *job.object() = json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": pod}}}});
    assert_eq!(job.digest(), set.digest());
}

#[test]
fn a_field_beside_a_volume_does_not_hide_its_content() {
    let with = |prompt: &str| {
        refund().with(|case| {
            insert(case.spec("/volumes/0"), "aFutureField", json!(true));
            case.config("prompts-abc12", &[("system.md", prompt)]);
        })
    };
    assert_ne!(with("a").digest(), with("b").digest());
}

#[test]
fn projected_sources_are_read_one_by_one() {
    let sources = json!([
        {"configMap": {"name": "prompts-abc12", "items": [{"key": "system.md", "path": "system.md"}]}},
        {"serviceAccountToken": {"path": "token", "audience": "crm"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"configMap": {"name": "absent", "optional": true}},
    ]);
    let case =
        refund().with(|case| *case.spec("/volumes/0") = json!({"name": "prompts", "projected": {"sources": sources}}));
    let resolved = case.resolve();
    assert_eq!(reasons(&resolved), Vec::<&str>::new());
    let stored = case.clone().with(|case| {
        *case.spec("/volumes/0/projected/sources/1/serviceAccountToken") =
            json!({"path": "token", "audience": "crm", "expirationSeconds": 3600});
        *case.spec("/volumes/0/projected/sources/2/downwardAPI/items/0/fieldRef") =
            json!({"fieldPath": "metadata.labels", "apiVersion": "v1"});
        insert(case.spec("/volumes/0/projected"), "defaultMode", json!(420));
        case.object()["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = json!("6f9c");
    });
    assert_eq!(case.digest(), stored.digest());
    for (pointer, value) in [
        ("/1/serviceAccountToken/audience", "vault"),
        ("/0/configMap/items/0/path", "other.md"),
    ] {
        let pointer = format!("/volumes/0/projected/sources{pointer}");
        assert_ne!(
            case.digest(),
            case.clone().with(|case| *case.spec(&pointer) = json!(value)).digest(),
            "{pointer}"
        );
    }
    let labelled = case
        .clone()
        .with(|case| case.object()["spec"]["template"]["metadata"]["labels"]["app"] = json!("evil"));
    assert_ne!(case.digest(), labelled.digest());
    let filled = case.clone().with(|case| case.config("absent", &[("x", "y")]));
    assert_ne!(case.digest(), filled.digest());
}
