//! What the API server puts where a template is silent, and what it does not store.
//!
//! Rule tables. The templates of Kubernetes' own workloads have most of these already; those of other kinds have none. The sources are
//! `pkg/apis/core/v1/defaults.go` and `zz_generated.defaults.go` (Kubernetes 1.36).

use serde_json::Value;

/// The field that something is in (of a list: the list), a field in it, and what it is when it is not there.
const DEFAULTS: &[(&[&str], &str, &str)] = &[
    (&["spec"], "dnsPolicy", "\"ClusterFirst\""),
    (&["spec"], "enableServiceLinks", "true"),
    (&["spec"], "restartPolicy", "\"Always\""),
    (&["spec"], "securityContext", "{}"),
    (&["spec"], "serviceAccountName", "\"default\""),
    (&["spec"], "terminationGracePeriodSeconds", "30"),
    (&["spec"], "volumeMode", "\"Filesystem\""),
    (CONTAINERS, "terminationMessagePath", "\"/dev/termination-log\""),
    (CONTAINERS, "terminationMessagePolicy", "\"File\""),
    (&["ports"], "protocol", "\"TCP\""),
    (PROBES, "failureThreshold", "3"),
    (PROBES, "periodSeconds", "10"),
    (PROBES, "successThreshold", "1"),
    (PROBES, "timeoutSeconds", "1"),
    (&["httpGet"], "path", "\"/\""),
    (&["httpGet"], "scheme", "\"HTTP\""),
    (&["grpc"], "service", "\"\""),
    (&["fieldRef"], "apiVersion", "\"v1\""),
    (&["resourceFieldRef"], "divisor", "\"0\""),
    (FILES, "defaultMode", "420"),
    (&["serviceAccountToken"], "expirationSeconds", "3600"),
    (&["hostPath"], "type", "\"\""),
    (&["image"], "pullPolicy", "\"IfNotPresent\""),
    (&["image"], "pullPolicy", "\"Always\""),
    (&["volumes"], "emptyDir", "{}"),
    (&["azureDisk"], "cachingMode", "\"ReadWrite\""),
    (&["azureDisk"], "fsType", "\"ext4\""),
    (&["azureDisk"], "kind", "\"Shared\""),
    (&["azureDisk"], "readOnly", "false"),
    (&["iscsi"], "iscsiInterface", "\"default\""),
    (&["rbd"], "keyring", "\"/etc/ceph/keyring\""),
    (&["rbd"], "pool", "\"rbd\""),
    (&["rbd"], "user", "\"admin\""),
    (&["scaleIO"], "fsType", "\"xfs\""),
    (&["scaleIO"], "storageMode", "\"ThinProvisioned\""),
];

const CONTAINERS: &[&str] = &["containers", "initContainers"];
const FILES: &[&str] = &["configMap", "downwardAPI", "projected", "secret"];
const PROBES: &[&str] = &["livenessProbe", "readinessProbe", "startupProbe"];

/// Fields that are not stored while they are the zero of their type.
const OMITTED: &[&str] = &[
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostname",
    "readOnly",
    "stdin",
    "stdinOnce",
    "subPath",
    "subPathExpr",
    "subdomain",
    "tty",
    "workingDir",
];

/// Of a container: not behaviour. A pinned image is the same whenever it is pulled.
const FREE: &[&str] = &["imagePullPolicy", "resizePolicy", "resources"];

/// Whether a field that the template does not have is what it would be anyway.
pub(super) fn is_default(place: &str, key: &str, found: &Value) -> bool {
    let mut rules = DEFAULTS
        .iter()
        .filter(|(places, field, _)| places.contains(&place) && *field == key);
    let text = || found.to_string();
    is_empty(found) || rules.any(|(_, _, default)| text() == *default)
}

/// Whether a field that the pod does not have is one that is not stored.
pub(super) fn is_omitted(key: &str, expected: &Value) -> bool {
    let zero = *expected == Value::Bool(false) || expected.as_str() == Some("");
    is_empty(expected) || (zero && OMITTED.contains(&key))
}

/// Whether a field may differ.
pub(super) fn is_free(place: &str, key: &str) -> bool {
    CONTAINERS.contains(&place) && FREE.contains(&key)
}

/// The API server stores neither null nor an empty list.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}
