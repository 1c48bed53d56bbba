//! Containers that others add, and that the environment knows whole.

use super::*;

const MESH: &str = "registry.example/mesh@sha256:9999999999999999999999999999999999999999999999999999999999999999";

fn exempt() -> Exempt {
    serde_json::from_value(json!({
        "name": "mesh",
        "container": {
            "image": MESH,
            "args": ["proxy"],
            "securityContext": {"runAsUser": 1337, "allowPrivilegeEscalation": false},
            "volumeMounts": [{"name": "mesh-data", "mountPath": "/data"}, {"name": "mesh-token", "mountPath": "/token"}, {"name": "mesh-ca", "mountPath": "/ca"}],
        },
        "free": ["env", "resources"],
        "volumes": [{"name": "mesh-ca", "configMap": {"name": "mesh-ca", "defaultMode": 420}}],
    }))
    .unwrap()
}

fn mesh() -> Value {
    json!({
        "name": "mesh", "image": MESH, "args": ["proxy"], "env": [{"name": "POD", "value": "any"}],
        "imagePullPolicy": "IfNotPresent", "resources": {"limits": {"cpu": "1"}},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "securityContext": {"runAsUser": 1337, "allowPrivilegeEscalation": false},
        "volumeMounts": [{"name": "mesh-data", "mountPath": "/data"}, {"name": "mesh-token", "mountPath": "/token"}, {"name": "mesh-ca", "mountPath": "/ca"}],
    })
}

fn volumes() -> [Value; 3] {
    [
        json!({"name": "mesh-data", "emptyDir": {"medium": "Memory"}}),
        json!({"name": "mesh-token", "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"audience": "mesh", "expirationSeconds": 43200, "path": "token"}}]}}),
        json!({"name": "mesh-ca", "configMap": {"name": "mesh-ca", "defaultMode": 420}}),
    ]
}

/// The Deployment's pod with the sidecar, in `list`.
fn injected(list: &str, container: Value, volumes: &[Value]) -> Value {
    let mut pod = Stored::of("deployment").pods[0].clone();
    let token = pod["spec"]["volumes"].as_array().unwrap().last().unwrap()["name"].clone();
    let mut container = container;
    let mount = json!({"name": token, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    container["volumeMounts"].as_array_mut().unwrap().push(mount);
    pod["spec"][list].as_array_mut().unwrap().insert(0, container);
    pod["spec"]["volumes"]
        .as_array_mut()
        .unwrap()
        .extend(volumes.iter().cloned());
    pod
}

fn found(pod: &Value, exempt: &[Exempt]) -> Vec<String> {
    let differences = differences(&Stored::of("deployment").workload, pod, &token(), exempt);
    differences.into_iter().map(|difference| difference.field).collect()
}

#[test]
fn a_known_container_with_its_volumes_is_explained() {
    for list in ["containers", "initContainers"] {
        let pod = injected(list, mesh(), &volumes());
        assert_eq!(found(&pod, &[exempt()]), [""; 0], "{list}");
        assert_eq!(found(&pod, &[]), [format!("spec.{list}"), "spec.volumes".to_owned()]);
        let cleaned = without_controller_additions(&Stored::of("deployment").workload, &pod, &token(), &[exempt()]);
        let plain = without_controller_additions(
            &Stored::of("deployment").workload,
            &Stored::of("deployment").pods[0],
            &token(),
            &[],
        );
        assert_eq!(cleaned["spec"], plain["spec"], "its digest is the release's");
        let profile = Profile::of_pod(&pod, &token(), OwnerKind::Plain, Images::Pinned).unwrap();
        assert!(profile.spec.to_string().contains(MESH), "the profile has it, whole");
    }
}

/// One field of the container changed, added or taken away: it is not known any more.
#[test]
fn a_container_is_known_whole() {
    let exempt = exempt();
    assert!(exempt.is(&mesh()));
    let mut paths = Vec::new();
    leaves(&mesh(), "", &mut paths);
    for path in paths {
        let free = ["/env/", "/resources/", "/imagePullPolicy"]
            .iter()
            .any(|free| path.starts_with(free));
        assert_eq!(
            exempt.is(&with(&mesh(), &path, another(mesh().pointer(&path).unwrap()))),
            free,
            "{path}"
        );
    }
    for (field, value) in [
        ("command", json!(["sh"])),
        ("lifecycle", json!({"postStart": {"exec": {"command": ["sh"]}}})),
        ("envFrom", json!([{"secretRef": {"name": "x"}}])),
        ("livenessProbe", json!({"exec": {"command": ["sh"]}})),
        ("workingDir", json!("/x")),
        ("restartPolicy", json!("Always")),
        ("unheardOf", json!(1)),
    ] {
        assert!(!exempt.is(&with(&mesh(), &format!("/{field}"), value)), "{field}");
    }
    for field in ["/args", "/securityContext", "/volumeMounts"] {
        assert!(!exempt.is(&without(&mesh(), field)), "{field}");
    }
    let mut greedy = exempt.clone();
    greedy.free = [
        "image",
        "command",
        "args",
        "securityContext",
        "volumeMounts",
        "lifecycle",
    ]
    .map(str::to_owned)
    .to_vec();
    assert!(
        !greedy.is(&with(&mesh(), "/args", json!(["sh"]))),
        "some fields are never free"
    );
    let mut tagged = exempt.clone();
    tagged.container.insert("image".to_owned(), json!("mesh:1"));
    assert!(!tagged.is(&with(&mesh(), "/image", json!("mesh:1"))), "a tag can move");
}

#[test]
fn volumes_of_others_bring_nothing_in() {
    let with_volume = |index: usize, volume: Value| {
        let mut volumes = volumes();
        volumes[index] = volume;
        found(&injected("containers", mesh(), &volumes), &[exempt()])
    };
    for volume in [
        json!({"name": "mesh-data", "hostPath": {"path": "/", "type": ""}}),
        json!({"name": "mesh-data", "secret": {"secretName": "x", "defaultMode": 420}}),
        json!({"name": "mesh-data", "configMap": {"name": "x", "defaultMode": 420}}),
        json!({"name": "mesh-data", "persistentVolumeClaim": {"claimName": "x"}}),
        json!({"name": "mesh-data", "image": {"reference": MESH}}),
        json!({"name": "mesh-data", "emptyDir": {}, "hostPath": {"path": "/"}}),
        json!({"name": "mesh-data", "projected": {"sources": [{"secret": {"name": "x"}}]}}),
        json!({"name": "mesh-data", "projected": {"sources": [{"serviceAccountToken": {"path": "x"}, "secret": {"name": "x"}}]}}),
    ] {
        assert_eq!(with_volume(0, volume.clone()), ["spec.volumes"], "{volume}");
    }
    assert_eq!(
        with_volume(
            2,
            json!({"name": "mesh-ca", "configMap": {"name": "other", "defaultMode": 420}})
        ),
        ["spec.volumes"]
    );
    assert_eq!(
        with_volume(
            0,
            json!({"name": "mesh-data", "downwardAPI": {"items": [], "defaultMode": 420}})
        ),
        [""; 0]
    );
    let mut unmounted = volumes().to_vec();
    unmounted.push(json!({"name": "stray", "emptyDir": {}}));
    assert_eq!(
        found(&injected("containers", mesh(), &unmounted), &[exempt()]),
        ["spec.volumes"]
    );
    let mut shared = injected("containers", mesh(), &volumes());
    shared["spec"]["containers"][1]["volumeMounts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "mesh-data", "mountPath": "/x"}));
    assert_eq!(
        found(&shared, &[exempt()]),
        ["spec.containers[agent].volumeMounts", "spec.volumes"],
        "the agent mounts it too"
    );
}

/// A container that the template has under the same name is the template's.
#[test]
fn the_template_s_own_container_is_compared() {
    let stored = Stored::of("deployment");
    let mut theirs = mesh();
    theirs["args"] = json!(["other"]);
    theirs["volumeMounts"] = json!([]);
    let workload = with(&stored.workload, "/spec/template/spec/containers/-", theirs);
    let pod = with(&stored.pods[0], "/spec/containers/-", mesh());
    let fields: Vec<_> = differences(&workload, &pod, &token(), &[exempt()])
        .into_iter()
        .map(|one| one.field)
        .collect();
    assert!(
        fields.contains(&"spec.containers[mesh].args[0]".to_owned()),
        "{fields:?}"
    );
}

/// A pod of exempted containers alone: a certificate solver, say.
fn solver() -> Value {
    json!({"metadata": {"name": "solver"}, "spec": {
        "containers": [mesh()],
        "volumes": volumes(),
        "automountServiceAccountToken": false,
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": false,
        "priority": 0,
        "restartPolicy": "OnFailure",
        "schedulerName": "default-scheduler",
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "serviceAccount": "default",
        "serviceAccountName": "default",
        "terminationGracePeriodSeconds": 30,
    }})
}

#[test]
fn a_pod_of_known_containers_has_nothing_else() {
    let said = |pod: &Value| {
        exempted(pod, &token(), &[exempt()])
            .into_iter()
            .map(|one| one.field)
            .collect::<Vec<_>>()
    };
    assert_eq!(said(&solver()), [""; 0]);
    for (path, value, field) in [
        ("/spec/serviceAccountName", json!("admin"), "spec.serviceAccountName"),
        ("/spec/hostNetwork", json!(true), "spec.hostNetwork"),
        ("/spec/hostPID", json!(true), "spec.hostPID"),
        ("/spec/securityContext/runAsUser", json!(0), "spec.securityContext"),
        (
            "/spec/securityContext/seccompProfile/type",
            json!("Unconfined"),
            "spec.securityContext",
        ),
        ("/spec/containers/0/command", json!(["sh"]), "spec.containers"),
        (
            "/spec/containers/-",
            json!({"name": "evil", "image": MESH}),
            "spec.containers",
        ),
        (
            "/spec/initContainers",
            json!([{"name": "evil", "image": MESH}]),
            "spec.initContainers",
        ),
        (
            "/spec/volumes/-",
            json!({"name": "root", "hostPath": {"path": "/"}}),
            "spec.volumes",
        ),
        ("/spec/hostAliases", json!([{"ip": "10.0.0.1"}]), "spec.hostAliases"),
        ("/spec/dnsPolicy", json!("Default"), "spec.dnsPolicy"),
        ("/spec/shareProcessNamespace", json!(true), "spec.shareProcessNamespace"),
        ("/spec/unheardOf", json!(1), "spec.unheardOf"),
    ] {
        let said = said(&with(&solver(), path, value));
        assert!(said.contains(&field.to_owned()), "{path}: {said:?}");
    }
    assert_eq!(
        said(&without(&solver(), "/spec/containers")),
        ["spec.containers", "spec.volumes"]
    );
    assert!(!exempted(&solver(), &token(), &[]).is_empty());
    let injected = json!({"name": "kube-api-access-x", "projected": token()});
    assert_eq!(
        said(&with(&solver(), "/spec/volumes/-", injected)),
        ["spec.volumes"],
        "it says that it has no token"
    );
    let mut other = exempt();
    other.free.clear();
    assert_ne!(Exempt::release(&[exempt()]), Exempt::release(&[other]));
}
