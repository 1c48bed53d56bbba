//! The operator's own governed namespace: its ledger lets nothing in, and a pod that is tried there has to come back held.

use super::token;
use crate::{
    enforce::{Context, Error, write},
    observe::{ENVIRONMENT, GATE},
};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
    runtime::reflector::ObjectRef,
};
use serde_json::{Value, json};
use vouchsafe_api::{Clearance, environment::status::Probe};

/// The ledger of the probe namespace: empty but for one protected name, by which the barrier sees that it was read.
pub(super) fn ledger(context: &Context, nonce: &str) -> Value {
    let namespace = &context.settings.probe_namespace;
    json!({
        "environment": context.world.label_of(namespace, ENVIRONMENT),
        "namespaceUid": context.world.uid_of(namespace),
        "enforcement": "Hold",
        "nonce": nonce,
        "token": token::injected(),
        "index": {}, "profiles": {}, "templateIndex": {}, "templates": {}, "releases": {}, "waiting": {},
        "protectedConfig": {format!("ConfigMap/{nonce}"): {"present": false}},
    })
}

/// What becomes of an uncleared pod, tried as a dry run.
pub(crate) async fn probe(context: &Context) -> Result<(Probe, String), Error> {
    let namespace = &context.settings.probe_namespace;
    let ledger = ObjectRef::<Clearance>::new("clearance").within(namespace);
    if context.world.clearances.get(&ledger).is_none() {
        // Without one the pod would be refused for that reason, and whether it would be held would stay unknown.
        if let Err(error) = context.ledgers.barrier.wait(context).await {
            tracing::debug!(%error, "the probe namespace has no ledger yet");
        }
    }
    let tried = try_gate(&context.world.client, namespace).await;
    tried.map_err(write::failed("probe the gate in", namespace.clone()))
}

/// The same, whether or not there is a ledger, and for whoever may create pods there.
///
/// # Errors
/// When the answer says nothing about the gate.
pub(crate) async fn try_gate(client: &Client, namespace: &str) -> Result<(Probe, String), kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some("probe".to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            automount_service_account_token: Some(false),
            containers: vec![Container {
                name: "probe".to_owned(),
                image: Some("vouchsafe.dev/probe".to_owned()),
                ..Container::default()
            }],
            ..PodSpec::default()
        }),
        status: None,
    };
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match pods.create(&dry_run, &pod).await {
        Ok(pod) => {
            let gates = pod.spec.and_then(|spec| spec.scheduling_gates).unwrap_or_default();
            Ok(if gates.iter().any(|gate| gate.name == GATE) {
                (Probe::Held, "an uncleared pod was held".to_owned())
            } else {
                (
                    Probe::Admitted,
                    "an uncleared pod was let in: the policies are not installed or not in force".to_owned(),
                )
            })
        }
        Err(kube::Error::Api(status))
            if matches!(status.code, 403 | 422) && status.message.contains("AdmissionPolicy '") =>
        {
            Ok((Probe::Refused, status.message.clone()))
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok((
            Probe::Unknown,
            format!("there is no namespace `{namespace}`: install the chart's"),
        )),
        Err(error) => Err(error),
    }
}
