//! Every field that the API server knows of a pod and of its containers, taken from its own schema: changed one at a time in a copy of a
//! cleared pod, none of them lets another pod run.

use crate::{
    attempt::{Answer, is_gated, try_create},
    cases::content::{cleared, with},
    stage::{Stage, image},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

/// Fields of a pod that say where and when it runs, not what: schedulers, controllers and admission write them per pod.
const FREE: &[(&str, &str)] = &[
    ("nodeName", "written by the scheduler; refused when set by hand"),
    ("tolerations", "where it may run; admission adds to them"),
    ("priority", "when it runs; computed from its class, which is compared"),
    ("preemptionPolicy", "when it runs; computed from its class"),
    ("schedulingGates", "that it waits; foreign ones are refused"),
    (
        "serviceAccount",
        "the old name of serviceAccountName, which is compared",
    ),
    (
        "ephemeralContainers",
        "not taken at creation; later with the verb debug",
    ),
];

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D62"],
        "every field of a pod and its containers, changed alone, is held or refused",
        every_field,
    )]
}

async fn every_field(cx: Context) -> Result<()> {
    let (stage, _, pod) = cleared(&cx).await?;
    let schemas = schemas(&cx).await?;
    let (mut fields, mut held) = (0, 0);
    for (kind, place) in [("PodSpec", "/spec"), ("Container", "/spec/containers/0")] {
        let known = properties(&schemas, &format!("io.k8s.api.core.v1.{kind}"))?;
        for (field, schema) in known {
            let at = format!("{place}/{field}");
            let value = other_value(kind, field, pod.pointer(&at), schema);
            held += usize::from(is_held(&stage, &pod, &with(&pod, &at, value)?, &at).await?);
            fields += 1;
        }
    }
    ensure!(
        fields > 55 && held > 35,
        "of {fields} fields {held} were held: too few were really tried"
    );
    Ok(())
}

/// Whether it was held; a pod that is let in has to be the cleared one.
async fn is_held(stage: &Stage, pod: &Value, changed: &Value, at: &str) -> Result<bool> {
    match try_create(&stage.editor, &stage.namespace, changed).await? {
        Answer::Refused(_) => Ok(false),
        Answer::Taken(stored) if is_gated(&stored) => Ok(true),
        Answer::Taken(stored) => {
            let same = what(&stored)? == what(pod)?;
            ensure!(same, "{at} was changed, and the pod was let in: {stored}");
            Ok(false)
        }
    }
}

/// A pod's spec without what is free.
fn what(pod: &Value) -> Result<Map<String, Value>> {
    let mut spec = pod.get("spec").and_then(Value::as_object).cloned().context("no spec")?;
    spec.retain(|field, _| FREE.iter().all(|(free, _)| free != field));
    Ok(spec)
}

async fn schemas(cx: &Context) -> Result<Value> {
    let request = hyper::Request::get("/openapi/v3/api/v1").body(Vec::new())?;
    let document: Value = cx.client().request(request).await.context("no schema")?;
    document
        .pointer("/components/schemas")
        .cloned()
        .context("the schema has no kinds")
}

fn properties<'a>(schemas: &'a Value, kind: &str) -> Result<&'a Map<String, Value>> {
    let schema = schemas.get(kind).and_then(|schema| schema.get("properties"));
    schema
        .and_then(Value::as_object)
        .with_context(|| format!("no fields of {kind}"))
}

/// Another value than the field has: a valid one where we know one, else whatever its type says.
fn other_value(kind: &str, field: &str, now: Option<&Value>, schema: &Value) -> Value {
    let known = match kind {
        "PodSpec" => of_pod(field),
        _ => of_container(field),
    };
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or("object");
    known.unwrap_or_else(|| match kind {
        "boolean" => json!(now != Some(&json!(true))),
        "integer" => json!(7),
        "string" => json!("other"),
        "array" => json!([]),
        _ => json!({}),
    })
}

fn of_pod(field: &str) -> Option<Value> {
    Some(match field {
        "affinity" => json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}]}}}),
        "containers" => json!([{"name": "agent", "image": image("other")}]),
        "initContainers" => json!([{"name": "other", "image": image("other")}]),
        "ephemeralContainers" => json!([{"name": "other", "image": image("other")}]),
        "dnsConfig" => json!({"nameservers": ["192.0.2.1"]}),
        "dnsPolicy" => json!("Default"),
        "enableServiceLinks" | "automountServiceAccountToken" => json!(false),
        "hostAliases" => json!([{"ip": "192.0.2.1", "hostnames": ["crm.example"]}]),
        "hostUsers" => json!(true),
        "imagePullSecrets" => json!([{"name": "other"}]),
        "nodeSelector" => json!({"other": "true"}),
        "os" => json!({"name": "linux"}),
        "priority" => json!(0),
        "readinessGates" => json!([{"conditionType": "example.com/other"}]),
        "resourceClaims" => json!([{"name": "gpu", "resourceClaimName": "other"}]),
        "resources" => json!({"requests": {"cpu": "100m"}}),
        "restartPolicy" => json!("Never"),
        "schedulingGates" => json!([{"name": "other.example/gate"}]),
        "securityContext" => json!({"runAsUser": 0}),
        "serviceAccount" | "serviceAccountName" => json!("other"),
        "tolerations" => json!([{"key": "other", "operator": "Exists"}]),
        "topologySpreadConstraints" => {
            json!([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}])
        }
        "volumes" => json!([{"name": "prompt", "emptyDir": {}}]),
        _ => return None,
    })
}

fn of_container(field: &str) -> Option<Value> {
    let probe = json!({"exec": {"command": ["sh"]}});
    Some(match field {
        "args" | "command" => json!(["sh"]),
        "env" => json!([{"name": "OTHER", "value": "yes"}]),
        "envFrom" => json!([{"secretRef": {"name": "other"}}]),
        "image" => json!(image("other")),
        "imagePullPolicy" => json!("Always"),
        "lifecycle" => json!({"preStop": {"exec": {"command": ["sh"]}}}),
        "livenessProbe" | "readinessProbe" | "startupProbe" => probe,
        "ports" => json!([{"containerPort": 8080}]),
        "resizePolicy" => json!([{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]),
        "resources" => json!({"limits": {"cpu": "1"}}),
        "securityContext" => json!({"privileged": true}),
        "terminationMessagePath" => json!("/other"),
        "terminationMessagePolicy" => json!("FallbackToLogsOnError"),
        "volumeMounts" => json!([{"name": "prompt", "mountPath": "/other"}]),
        "workingDir" => json!("/other"),
        _ => return None,
    })
}
