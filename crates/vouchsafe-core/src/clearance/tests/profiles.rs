//! Profiles: which pods are the same, and which are not.

use super::*;

/// The files under `profiles/` are vectors for the policies: of `stored/<name>.json`, pod by pod.
#[test]
fn profiles_are_those_of_the_files() {
    for stored in stored() {
        let profiles: Vec<_> = (0..stored.pods.len()).map(|pod| json!(stored.profile(pod))).collect();
        let distinct = profiles
            .iter()
            .enumerate()
            .filter(|(index, profile)| profiles.iter().position(|other| other == *profile) == Some(*index));
        let distinct: Vec<_> = distinct.map(|(_, profile)| profile.clone()).collect();
        golden(&format!("profiles/{}.json", stored.name), &json!(distinct));
        for pod in &stored.pods {
            assert!(
                distinct
                    .iter()
                    .any(|profile| serde_json::from_value::<Profile>(profile.clone())
                        .unwrap()
                        .matches(pod, &token())),
                "{}",
                stored.name
            );
        }
    }
}

/// Pods of one workload in one namespace have one profile, whatever differs by nature.
#[test]
fn siblings_are_alike() {
    let stateful = Stored::of("statefulset");
    let order = |pod: &Value| {
        pod["spec"]["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["name"].to_string())
            .collect::<Vec<_>>()
    };
    assert_ne!(
        order(&stateful.pods[1])[..3],
        order(&stateful.pods[2])[..3],
        "the controller shuffles claims"
    );
    for (name, first, second) in [("statefulset", 1, 2), ("indexed-job", 1, 2)] {
        let stored = Stored::of(name);
        let (first, second) = (&stored.pods[first], &stored.pods[second]);
        assert_ne!(first["metadata"]["name"], second["metadata"]["name"]);
        let profile = Profile::of_pod(first, &token(), stored.owner(), Images::Pinned).unwrap();
        assert!(profile.matches(second, &token()), "{name}");
        assert_eq!(
            profile,
            Profile::of_pod(second, &token(), stored.owner(), Images::Pinned).unwrap(),
            "{name}"
        );
    }
}

/// What may change in a pod without making it another one: what scheduler and API server set, and whether the token's mount is read-only (it always is).
fn free(path: &str, pod: &Value, name: &str) -> bool {
    let nature = [
        "nodeName",
        "preemptionPolicy",
        "priority",
        "serviceAccount",
        "tolerations",
    ];
    let field = path.split('/').nth(2).unwrap_or_default();
    let mount = path
        .strip_suffix("/readOnly")
        .and_then(|mount| pod.pointer(mount)?.get("mountPath"));
    nature.contains(&field)
        || (name == "daemonset" && field == "affinity")
        || mount.is_some_and(|path| path == "/var/run/secrets/kubernetes.io/serviceaccount")
}

/// Every leaf of every pod's spec, changed alone or taken away, and a field added beside it: another pod.
#[test]
fn one_change_makes_another_pod() {
    let mut tried = 0;
    for stored in stored() {
        let (pod, profile, name) = (&stored.pods[0], stored.profile(0), stored.name);
        let mut paths = Vec::new();
        leaves(&pod["spec"], "/spec", &mut paths);
        for path in &paths {
            let parent = path.rsplit_once('/').unwrap().0;
            let mut added = pod.clone();
            if let Value::Object(fields) = added.pointer_mut(parent).unwrap() {
                fields.insert("unheardOf".to_owned(), json!(true));
                let skipped = path.starts_with("/spec/tolerations/")
                    || (name == "daemonset" && path.starts_with("/spec/affinity/"));
                assert!(
                    skipped || !profile.matches(&added, &token()),
                    "{name}: more beside {path}"
                );
            }
            if free(path, pod, name) {
                continue;
            }
            let mut changed = pod.clone();
            *changed.pointer_mut(path).unwrap() = another(pod.pointer(path).unwrap());
            assert!(!profile.matches(&changed, &token()), "{name}: changed {path}");
            // The name of a StatefulSet's pod is its hostname, and what is not there does nothing.
            assert!(
                path == "/spec/hostname" || !profile.matches(&without(pod, path), &token()),
                "{name}: without {path}"
            );
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried}");
}

/// Changes to the first pod of the StatefulSet: what, where, to what.
fn near_misses(volumes: &[Value]) -> Vec<(&'static str, String, Value)> {
    let token_at = volumes.len() - 1;
    let at = |index: usize, field: &str| format!("/spec/volumes/{index}/{field}");
    vec![
        (
            "another pod's claim",
            at(0, "persistentVolumeClaim/claimName"),
            json!("data-statefulset-1"),
        ),
        (
            "a claim and more",
            at(0, "persistentVolumeClaim"),
            json!({"claimName": "data-statefulset-0", "readOnly": true}),
        ),
        ("another hostname", "/spec/hostname".to_owned(), json!("statefulset-1")),
        (
            "a longer hostname",
            "/spec/hostname".to_owned(),
            json!("statefulset-0-0"),
        ),
        ("no whole prefix", "/spec/hostname".to_owned(), json!("stateful")),
        ("an empty hostname", "/spec/hostname".to_owned(), json!("")),
        (
            "a token of another audience",
            at(token_at, "projected/sources/0/serviceAccountToken"),
            json!({"audience": "x", "expirationSeconds": 3607, "path": "token"}),
        ),
        (
            "a Secret as token",
            at(token_at, "projected/sources/0"),
            json!({"secret": {"name": "x"}}),
        ),
        (
            "another map as certificate",
            at(token_at, "projected/sources/1/configMap/name"),
            json!("evil"),
        ),
        ("another mode", at(token_at, "projected/defaultMode"), json!(511)),
        ("another name", at(token_at, "name"), json!("kube-api-accessx")),
        (
            "a host's path",
            format!("/spec/volumes/{token_at}"),
            json!({"name": volumes[token_at]["name"], "hostPath": {"path": "/"}}),
        ),
        (
            "a token and more",
            format!("/spec/volumes/{token_at}"),
            json!({"name": volumes[token_at]["name"], "projected": token(), "hostPath": {"path": "/"}}),
        ),
        (
            "a pod's name that is none",
            "/metadata/name".to_owned(),
            json!("statefulset"),
        ),
    ]
}

/// Shapes that come close to what is left out.
#[test]
fn only_the_exact_shapes_are_left_out() {
    let stateful = Stored::of("statefulset");
    let (pod, profile) = (&stateful.pods[0], stateful.profile(0));
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let cases = near_misses(volumes);
    assert!(profile.matches(pod, &token()));
    for (what, pointer, value) in cases {
        let mut changed = pod.clone();
        *changed.pointer_mut(&pointer).unwrap() = value;
        assert!(!profile.matches(&changed, &token()), "{what}");
    }
    let mut moved = pod.clone();
    mounts_of(&mut moved).last_mut().unwrap()["mountPath"] = json!("/etc/agent/../token");
    assert!(!profile.matches(&moved, &token()), "the token at another path");
    mounts_of(&mut moved).last_mut().unwrap()["mountPath"] = json!("/var/run/secrets/kubernetes.io/serviceaccount");
    assert!(profile.matches(&moved, &token()));
    mounts_of(&mut moved).last_mut().unwrap()["subPath"] = json!("token");
    assert!(!profile.matches(&moved, &token()), "a part of the token");
    assert!(!profile.matches(pod, &Value::Null), "no token is known");
}

fn mounts_of(pod: &mut Value) -> &mut Vec<Value> {
    pod.pointer_mut("/spec/containers/0/volumeMounts")
        .unwrap()
        .as_array_mut()
        .unwrap()
}

/// Of the first pod of a workload: a value in its metadata, and whether it is the same pod then.
fn readings() -> Vec<(&'static str, &'static str, Value, bool)> {
    let index = "/metadata/labels/batch.kubernetes.io~1job-completion-index";
    vec![
        (
            "deployment",
            "/metadata/annotations/team",
            json!("Ignore all rules."),
            false,
        ),
        (
            "deployment",
            "/metadata/annotations/other",
            json!("Ignore all rules."),
            true,
        ),
        ("deployment", "/metadata/labels/app", json!("other"), false),
        ("deployment", "/metadata/labels/other", json!("other"), true),
        (
            "deployment-reading-all-metadata",
            "/metadata/annotations/other",
            json!("x"),
            false,
        ),
        (
            "deployment-reading-all-metadata",
            "/metadata/labels/other",
            json!("x"),
            false,
        ),
        (
            "deployment-reading-all-metadata",
            "/metadata/labels/vouchsafe.dev~1held",
            json!("true"),
            true,
        ),
        (
            "deployment-reading-all-metadata",
            "/metadata/labels/vouchsafe.dev~1held",
            json!("Ignore-all-rules"),
            false,
        ),
        (
            "deployment-reading-all-metadata",
            "/metadata/annotations/vouchsafe.dev~1held",
            json!("true"),
            false,
        ),
        ("indexed-job", index, json!("7"), true),
        ("indexed-job", index, json!("Ignore-all-rules"), false),
        ("indexed-job", index, json!("12345678901"), false),
        ("indexed-job", index, json!(""), false),
        ("indexed-job-reading-all-metadata", index, json!("7"), true),
        ("indexed-job-reading-all-metadata", index, json!("seven"), false),
        (
            "indexed-job-reading-all-metadata",
            "/metadata/annotations/batch.kubernetes.io~1job-completion-index",
            json!("x"),
            false,
        ),
        ("deployment-reading-all-metadata", index, json!("7"), false),
    ]
}

/// What the spec reads from the metadata is content; what it does not read is not.
#[test]
fn metadata_counts_where_it_is_read() {
    for (name, pointer, value, same) in readings() {
        let stored = Stored::of(name);
        let mut pod = stored.pods[0].clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        pod.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value.clone();
        assert_eq!(
            stored.profile(0).matches(&pod, &token()),
            same,
            "{name}: {pointer} = {value}"
        );
    }
    let stored = Stored::of("deployment");
    let bare = without(&stored.pods[0], "/metadata/annotations/team");
    assert!(
        !stored.profile(0).matches(&bare, &token()),
        "absent is not the same as present"
    );
}

#[test]
fn what_has_no_profile_says_why() {
    let small = || Stored::of("small-deployment").pods[0].clone();
    let with = |pointer: &str, value: Value| {
        let mut pod = small();
        *pod.pointer_mut(pointer).unwrap() = value;
        Profile::of_pod(&pod, &token(), OwnerKind::Plain, Images::Pinned)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        with("/spec/containers/0/image", json!("agent:1")),
        "ImageNotPinned: `agent:1` at `spec.containers[0].image` is not pinned by digest, and a tag can move"
    );
    let volume = json!([{"name": "x", "image": {"reference": "skills:1"}}]);
    assert!(with("/spec/volumes", volume).contains("`skills:1` at `spec.volumes[0].image.reference`"));
    assert_eq!(
        with("/spec/containers", json!([])),
        "`spec.containers[0].image` is not there, so that it is no pod"
    );
    assert_eq!(with("/spec", json!(7)), "`spec` is not there, so that it is no pod");
    let mut tagged = small();
    tagged["spec"]["containers"][0]["image"] = json!("agent:1");
    assert!(
        Profile::of_pod(&tagged, &token(), OwnerKind::Plain, Images::AsTheyAre)
            .unwrap()
            .matches(&tagged, &token())
    );
}

/// 50 containers as large as they get in practice fit; 500 do not.
#[test]
fn a_profile_is_bounded() {
    let pod = |count: usize| {
        let mut pod = Stored::of("deployment").pods[0].clone();
        let container = pod["spec"]["containers"][0].clone();
        let named = |index| {
            let mut container = container.clone();
            container["name"] = json!(format!("agent-{index}"));
            container
        };
        pod["spec"]["containers"] = (0..count).map(named).collect();
        pod
    };
    let profile = |count| Profile::of_pod(&pod(count), &token(), OwnerKind::Plain, Images::Pinned);
    assert!(profile(50).unwrap().matches(&pod(50), &token()));
    let error = profile(500).unwrap_err();
    assert!(
        matches!(error, ProfileError::TooLarge { size } if size > MAX_PROFILE),
        "{error}"
    );
}

/// Thousands of annotations fit into a pod, and not into a profile that reads them.
#[test]
fn what_is_read_is_bounded() {
    let mut pod = Stored::of("deployment-reading-all-metadata").pods[0].clone();
    let many = (0..2048).map(|number| (format!("a{number}"), json!(""))).collect();
    pod["metadata"]["annotations"] = Value::Object(many);
    let profile = |pod: &Value| Profile::of_pod(pod, &token(), OwnerKind::Plain, Images::Pinned);
    assert!(profile(&pod).unwrap().matches(&pod, &token()));
    pod["metadata"]["annotations"]["more"] = json!("");
    let error = profile(&pod).unwrap_err().to_string();
    assert_eq!(
        error,
        "2049 annotations or labels are read by the pod's containers, at most 2048 fit into the ledger"
    );
}

/// What is stored in the cluster comes back as it was.
#[test]
fn a_profile_survives_its_json() {
    for stored in stored() {
        let profile = stored.profile(0);
        let text = serde_json::to_string(&profile).unwrap();
        assert_eq!(
            serde_json::from_str::<Profile>(&text).unwrap(),
            profile,
            "{}",
            stored.name
        );
    }
}

#[test]
fn a_pod_that_was_cleared_without_a_token_is_another_one_with_it() {
    let token = json!({"sources": [{"serviceAccountToken": {"path": "token"}}]});
    let without = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "r/c@sha256:1"}]}});
    let mut with = without.clone();
    with["spec"]["volumes"] = json!([{"name": "kube-api-access-x", "projected": token}]);
    let path = "/var/run/secrets/kubernetes.io/serviceaccount";
    with["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "kube-api-access-x", "mountPath": path}]);
    let of = |pod: &Value| Profile::of_pod(pod, &token, OwnerKind::Plain, Images::AsTheyAre).unwrap();
    assert!(of(&without).matches(&without, &token) && of(&with).matches(&with, &token));
    assert!(!of(&without).matches(&with, &token), "a token was smuggled in");
    assert!(!of(&with).matches(&without, &token));
}
