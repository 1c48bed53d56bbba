//! What this program ships: the chart's policies, as the chart renders them for this operator.
//!
//! Takes the operator's user name, the scheduling gates that are allowed, and whether a webhook holds: all that the chart puts into them. Gives
//! their specs; of webhooks, all but where they are asked.

use crate::{
    observe::policies::{KINDS, KINDS_WITH_WEBHOOK, Name},
    operator::Settings,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The operator's name in the policies as they lie in the chart.
const OPERATOR: &str = "system:serviceaccount:vouchsafe-system:vouchsafe";
/// The gates that are allowed, likewise.
const GATES: &str = "['vouchsafe.dev/clearance']";

macro_rules! texts {
    ($($name:literal),+ $(,)?) => {
        /// The files of the chart.
        const TEXTS: &[(&str, &str)] = &[$((
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/charts/vouchsafe/policies/", $name, ".yaml")),
        )),+];
    };
}

texts![
    "access",
    "config",
    "grants",
    "hold",
    "identity",
    "ledger",
    "namespace-names",
    "namespaces",
    "pod-updates",
    "pods",
    "stamp",
    "webhooks",
    "workloads",
];

/// What is not installed where a webhook holds, as such an API server does not know it.
const WITHOUT_WEBHOOK: &[&str] = &["hold", "stamp"];
/// What is installed there alone.
const WITH_WEBHOOK: &[&str] = &["webhooks"];

/// Why what is shipped is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShippedError {
    /// A file is no YAML.
    #[error("the policies in `{file}` cannot be read")]
    Unreadable {
        /// Which.
        file: &'static str,
        /// Why.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// A file has something else in it.
    #[error("`{file}` has something that is no policy")]
    NoPolicy {
        /// Which.
        file: &'static str,
    },
}

/// Policies and bindings with their specs.
#[derive(Debug, Clone)]
pub(crate) struct Shipped {
    pub(super) specs: BTreeMap<Name, Value>,
    kinds: &'static [&'static str],
}

impl Shipped {
    /// For an operator of these settings.
    ///
    /// # Errors
    /// When the program was built from files that are no policies.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ShippedError> {
        Self::of(&settings.identity, &settings.allowed_gates, settings.webhook.is_some())
    }

    /// For an operator of this user name, and these gates of others; where a webhook holds, or mutating policies do.
    pub(super) fn of(operator: &str, gates: &[String], webhook: bool) -> Result<Self, ShippedError> {
        let gates = std::iter::once("vouchsafe.dev/clearance").chain(gates.iter().map(String::as_str));
        let gates: Vec<_> = gates.map(|gate| format!("'{gate}'")).collect();
        let gates = format!("[{}]", gates.join(", "));
        let absent = if webhook { WITHOUT_WEBHOOK } else { WITH_WEBHOOK };
        let mut specs = BTreeMap::new();
        for (file, text) in TEXTS.iter().copied().filter(|(file, _)| !absent.contains(file)) {
            let objects: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|source| ShippedError::Unreadable {
                file,
                source: Box::new(source),
            })?;
            for mut object in objects {
                let name = name(&object).ok_or(ShippedError::NoPolicy { file })?;
                let mut spec = spec(&mut object);
                render(&mut spec, operator, &gates);
                specs.insert(name, spec);
            }
        }
        let kinds: &[_] = if webhook { &KINDS_WITH_WEBHOOK } else { &KINDS };
        Ok(Self { specs, kinds })
    }

    /// The kinds of what is shipped.
    pub(crate) fn kinds(&self) -> &'static [&'static str] {
        self.kinds
    }
}

/// What of an object is compared: its spec, or its webhooks but for where they are asked, and whom to trust for it.
pub(super) fn spec(object: &mut Value) -> Value {
    let mut webhooks = object.get_mut("webhooks").map(Value::take);
    for webhook in webhooks.iter_mut().filter_map(Value::as_array_mut).flatten() {
        if let Some(webhook) = webhook.as_object_mut() {
            webhook.remove("clientConfig");
        }
    }
    webhooks
        .or_else(|| object.get_mut("spec").map(Value::take))
        .unwrap_or_default()
}

fn name(object: &Value) -> Option<Name> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind")?;
    Some(Name {
        kind: KINDS
            .into_iter()
            .chain(KINDS_WITH_WEBHOOK)
            .find(|known| *known == kind)?,
        name: text("/metadata/name")?.to_owned(),
    })
}

/// As `templates/policies.yaml` does it.
fn render(value: &mut Value, operator: &str, gates: &str) {
    match value {
        Value::String(text) if text == GATES => gates.clone_into(text),
        Value::String(text) => *text = text.replace(OPERATOR, operator),
        Value::Array(items) => items.iter_mut().for_each(|item| render(item, operator, gates)),
        Value::Object(fields) => fields.values_mut().for_each(|field| render(field, operator, gates)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs};

    #[test]
    fn every_file_of_the_chart_is_in_it() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/vouchsafe/policies");
        let there: BTreeSet<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let known: BTreeSet<_> = TEXTS.iter().map(|(name, _)| format!("{name}.yaml")).collect();
        assert_eq!(known, there);
    }

    #[test]
    fn policies_and_bindings_come_in_pairs() {
        let shipped = Shipped::of(OPERATOR, &[], false).unwrap();
        let of = |is_binding: bool| -> BTreeSet<_> {
            let names = shipped.specs.keys();
            let names = names.filter(|name| name.kind.ends_with("Binding") == is_binding);
            names.map(|name| name.name.clone()).collect()
        };
        assert!(of(false).len() > 10, "{shipped:?}");
        assert_eq!(of(false), of(true));
        assert!(shipped.specs.len() <= 32, "a status cannot name them all");
    }

    #[test]
    fn where_a_webhook_holds_it_is_in_the_place_of_the_policies_that_do() {
        let kinds = |webhook: bool| -> BTreeSet<_> {
            let shipped = Shipped::of(OPERATOR, &[], webhook).unwrap();
            let found: BTreeSet<_> = shipped.specs.keys().map(|name| name.kind).collect();
            assert_eq!(found, shipped.kinds().iter().copied().collect());
            found
        };
        assert!(kinds(false).contains("MutatingAdmissionPolicy"));
        assert!(
            kinds(true)
                .iter()
                .all(|kind| !kind.starts_with("MutatingAdmissionPolicy"))
        );
        let shipped = Shipped::of(OPERATOR, &[], true).unwrap();
        let hold = shipped
            .specs
            .iter()
            .find(|(name, _)| name.name == "vouchsafe-hold")
            .unwrap();
        assert_eq!(hold.0.kind, "MutatingWebhookConfiguration");
        assert_eq!(hold.1.pointer("/0/clientConfig"), None);
        assert_eq!(hold.1.pointer("/0/failurePolicy"), Some(&Value::from("Ignore")));
    }

    #[test]
    fn the_operator_and_the_gates_are_those_of_the_installation() {
        let gates = ["kueue.x-k8s.io/admission".to_owned()];
        let shipped = Shipped::of("system:serviceaccount:guard:me", &gates, false).unwrap();
        let text = serde_json::to_string(&shipped.specs.values().collect::<Vec<_>>()).unwrap();
        assert!(!text.contains(OPERATOR));
        assert!(text.matches("system:serviceaccount:guard:me").count() > 3);
        assert!(text.contains("['vouchsafe.dev/clearance', 'kueue.x-k8s.io/admission']"));
    }
}
