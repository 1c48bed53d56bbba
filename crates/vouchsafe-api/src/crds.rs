//! The CustomResourceDefinitions, made from the Rust types.
//!
//! Takes nothing, gives the definitions of all kinds and their YAML; `crds/` holds exactly that. What `schemars` says and Kubernetes
//! does not know is put right here, for all kinds alike.

use crate::{
    agent::Agent, approval::Approval, check::Check, clearance::Clearance, environment::Environment, evidence::Evidence,
    promotion::Promotion, waiver::Waiver,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

/// A definition could not be made; a mistake in the types, which tests find.
#[derive(Debug, thiserror::Error)]
#[error("definition of {kind} is not JSON")]
pub struct DefinitionError {
    kind: String,
    #[source]
    source: serde_json::Error,
}

/// The definitions of all kinds, in the order in which people meet them.
///
/// # Errors
/// Never, as long as the tests pass.
pub fn all() -> Result<Vec<CustomResourceDefinition>, DefinitionError> {
    [
        Agent::crd(),
        Environment::crd(),
        Check::crd(),
        Promotion::crd(),
        Evidence::crd(),
        Approval::crd(),
        Waiver::crd(),
        Clearance::crd(),
    ]
    .into_iter()
    .map(|crd| {
        let kind = crd.spec.names.kind.clone();
        finished(&crd).map_err(|source| DefinitionError { kind, source })
    })
    .collect()
}

fn finished(crd: &CustomResourceDefinition) -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut value = serde_json::to_value(crd)?;
    tidy(&mut value);
    let status = value.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/status");
    if let Some(status) = status.and_then(Value::as_object_mut) {
        status.insert("default".to_owned(), json!({"observedGeneration": -1}));
    }
    serde_json::from_value(value)
}

/// Formats of unsigned numbers are unknown to Kubernetes, which warns of them; `null` is never a value here.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(tidy);
            tidy_schema(object);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn tidy_schema(object: &mut Map<String, Value>) {
    if !matches!(object.get("type"), Some(Value::String(_))) && !object.contains_key("enum") {
        return;
    }
    if object.get("nullable") == Some(&json!(true)) {
        object.remove("nullable");
    }
    if object.get("format") == Some(&json!("uint32")) {
        object.insert("format".to_owned(), json!("int32"));
    }
    for bound in ["minimum", "maximum"] {
        if let Some(number) = object.get(bound).and_then(Value::as_f64) {
            object.insert(bound.to_owned(), json!(number));
        }
    }
}
