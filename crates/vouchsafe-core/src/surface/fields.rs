//! Which fields mean nothing, and which values are what the API server would have put there anyway.
//!
//! Rule tables: a field that is not named here is in the digest. The sources of the defaults are `pkg/apis/core/v1/defaults.go` and the
//! `omitempty` tags of `k8s.io/api/core/v1` (Kubernetes 1.36).

use serde_json::{Map, Value};

/// Of a PodSpec: scheduling, pulling, priority, resources, and names of objects (which are bound, not hashed).
const POD_MEANINGLESS: &[&str] = &[
    "affinity",
    "imagePullSecrets",
    "nodeName",
    "nodeSelector",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "resources",
    "schedulerName",
    "schedulingGates",
    "serviceAccount",
    "serviceAccountName",
    "subdomain",
    "tolerations",
    "topologySpreadConstraints",
];

/// Of a PodSpec: field, and the value that equals leaving it out.
const POD_DEFAULTS: &[(&str, &str)] = &[
    ("dnsConfig", "{}"),
    ("dnsPolicy", "\"ClusterFirst\""),
    ("enableServiceLinks", "true"),
    ("hostIPC", "false"),
    ("hostNetwork", "false"),
    ("hostPID", "false"),
    ("hostUsers", "true"),
    ("hostname", "\"\""),
    ("restartPolicy", "\"Always\""),
    ("securityContext", "{}"),
    ("setHostnameAsFQDN", "false"),
    ("shareProcessNamespace", "false"),
    ("terminationGracePeriodSeconds", "30"),
];

/// Of a container.
const CONTAINER_MEANINGLESS: &[&str] = &["imagePullPolicy", "ports", "resizePolicy", "resources"];

const CONTAINER_DEFAULTS: &[(&str, &str)] = &[
    ("lifecycle", "{}"),
    ("securityContext", "{}"),
    ("stdin", "false"),
    ("stdinOnce", "false"),
    ("terminationMessagePath", "\"/dev/termination-log\""),
    ("terminationMessagePath", "\"\""),
    ("terminationMessagePolicy", "\"File\""),
    ("terminationMessagePolicy", "\"\""),
    ("tty", "false"),
    ("workingDir", "\"\""),
];

/// Of a probe: everything that says when and over which protocol. What it executes is code.
const PROBE_MEANINGLESS: &[&str] = &[
    "failureThreshold",
    "grpc",
    "httpGet",
    "initialDelaySeconds",
    "periodSeconds",
    "successThreshold",
    "tcpSocket",
    "terminationGracePeriodSeconds",
    "timeoutSeconds",
];

const SECURITY_DEFAULTS: &[(&str, &str)] = &[("capabilities", "{}"), ("procMount", "\"Default\"")];

const HTTP_DEFAULTS: &[(&str, &str)] = &[
    ("host", "\"\""),
    ("path", "\"/\""),
    ("path", "\"\""),
    ("scheme", "\"HTTP\""),
];

const MOUNT_DEFAULTS: &[(&str, &str)] = &[
    ("mountPropagation", "\"None\""),
    ("readOnly", "false"),
    ("subPath", "\"\""),
    ("subPathExpr", "\"\""),
];

/// Of any volume source. Modes are decimal in JSON: 420 is 0644.
const VOLUME_DEFAULTS: &[(&str, &str)] = &[
    ("apiVersion", "\"v1\""),
    ("defaultMode", "420"),
    ("divisor", "\"0\""),
    ("expirationSeconds", "3600"),
    ("medium", "\"\""),
    ("optional", "false"),
    ("readOnly", "false"),
    ("type", "\"\""),
];

/// Volume kinds of the early days that the API server fills in.
const OLD_VOLUME_DEFAULTS: &[(&str, &[(&str, &str)])] = &[
    (
        "azureDisk",
        &[
            ("cachingMode", "\"ReadWrite\""),
            ("fsType", "\"ext4\""),
            ("kind", "\"Shared\""),
        ],
    ),
    ("iscsi", &[("iscsiInterface", "\"default\"")]),
    (
        "rbd",
        &[
            ("keyring", "\"/etc/ceph/keyring\""),
            ("pool", "\"rbd\""),
            ("user", "\"admin\""),
        ],
    ),
    (
        "scaleIO",
        &[("fsType", "\"xfs\""), ("storageMode", "\"ThinProvisioned\"")],
    ),
];

/// What is left of a PodSpec's field, if it means anything.
pub(super) fn of_pod(key: &str, field: &Value) -> Option<Value> {
    meaning(POD_MEANINGLESS, POD_DEFAULTS, key, &nested(key, field))
}

/// What is left of a container's field, if it means anything.
pub(super) fn of_container(key: &str, field: &Value) -> Option<Value> {
    meaning(CONTAINER_MEANINGLESS, CONTAINER_DEFAULTS, key, &nested(key, field))
}

/// What is left of a mount's fields.
pub(super) fn of_mount(mount: &Value) -> Map<String, Value> {
    object(&[], MOUNT_DEFAULTS, mount)
}

/// What is left of a volume source's fields.
pub(super) fn of_volume(kind: &str, source: &Value) -> Value {
    if matches!(kind, "configMap" | "downwardAPI" | "projected" | "secret") {
        return source_defaults(source);
    }
    if !source.is_object() {
        return source.clone();
    }
    let old = OLD_VOLUME_DEFAULTS.iter().find(|(old, _)| *old == kind);
    let source = Value::Object(object(&[], VOLUME_DEFAULTS, source));
    old.map_or(source.clone(), |(_, defaults)| {
        Value::Object(object(&[], defaults, &source))
    })
}

/// The default fields of a source, at any depth: `items[].fieldRef.apiVersion` is as much one as `defaultMode`.
fn source_defaults(source: &Value) -> Value {
    match source {
        Value::Object(fields) => {
            let kept = fields.iter().filter_map(|(key, field)| {
                let field = source_defaults(field);
                (!absent(&field) && !is_default(VOLUME_DEFAULTS, key, &field)).then(|| (key.clone(), field))
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.iter().map(source_defaults).collect(),
        other => other.clone(),
    }
}

fn nested(key: &str, field: &Value) -> Value {
    match (key, field) {
        ("securityContext", Value::Object(_)) => Value::Object(object(&[], SECURITY_DEFAULTS, field)),
        ("livenessProbe" | "readinessProbe" | "startupProbe", Value::Object(_)) => {
            let code = object(PROBE_MEANINGLESS, &[("exec", "{}")], field);
            if code.is_empty() {
                Value::Null
            } else {
                Value::Object(code)
            }
        }
        ("lifecycle", Value::Object(handlers)) => {
            let kept = handlers.iter().filter(|(_, handler)| !handler.is_null());
            Value::Object(kept.map(|(when, handler)| (when.clone(), lifecycle(handler))).collect())
        }
        _ => field.clone(),
    }
}

fn lifecycle(handler: &Value) -> Value {
    let Value::Object(fields) = pruned(handler) else {
        return handler.clone();
    };
    let request = |(kind, field): (String, Value)| match field {
        Value::Object(_) if kind == "httpGet" => (kind, Value::Object(object(&[], HTTP_DEFAULTS, &field))),
        _ => (kind, field),
    };
    Value::Object(fields.into_iter().map(request).collect())
}

fn object(meaningless: &[&str], defaults: &[(&str, &str)], value: &Value) -> Map<String, Value> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .filter_map(|(key, field)| Some((key.clone(), meaning(meaningless, defaults, key, field)?)))
        .collect()
}

fn meaning(meaningless: &[&str], defaults: &[(&str, &str)], key: &str, field: &Value) -> Option<Value> {
    if meaningless.contains(&key) {
        return None;
    }
    let field = pruned(field);
    (!absent(&field) && !is_default(defaults, key, &field)).then_some(field)
}

fn is_default(defaults: &[(&str, &str)], key: &str, field: &Value) -> bool {
    let text = match field {
        Value::Array(_) => return false,
        Value::Object(fields) if !fields.is_empty() => return false,
        scalar => scalar.to_string(),
    };
    defaults.iter().any(|(name, default)| *name == key && text == **default)
}

/// The API server stores neither null nor an empty list.
fn absent(field: &Value) -> bool {
    field.is_null() || field.as_array().is_some_and(Vec::is_empty)
}

/// The value without fields that the API server does not store.
pub(super) fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(key, field)| (key.clone(), pruned(field)));
            Value::Object(kept.filter(|(_, field)| !absent(field)).collect())
        }
        Value::Array(items) => items.iter().map(pruned).collect(),
        other => other.clone(),
    }
}
