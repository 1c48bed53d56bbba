//! What this program ships: the chart's policies, as the chart renders them for this operator.
//!
//! Takes the operator's user name and the scheduling gates that are allowed: all that the chart puts into them. Gives their specs.

use crate::observe::policies::{KINDS, Name};
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
    "workloads",
];

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
}

impl Shipped {
    /// For an operator of this user name, and these gates of others.
    ///
    /// # Errors
    /// When the program was built from files that are no policies.
    pub(crate) fn new(operator: &str, gates: &[String]) -> Result<Self, ShippedError> {
        let gates = std::iter::once("vouchsafe.dev/clearance").chain(gates.iter().map(String::as_str));
        let gates: Vec<_> = gates.map(|gate| format!("'{gate}'")).collect();
        let gates = format!("[{}]", gates.join(", "));
        let mut specs = BTreeMap::new();
        for (file, text) in TEXTS.iter().copied() {
            let objects: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|source| ShippedError::Unreadable {
                file,
                source: Box::new(source),
            })?;
            for mut object in objects {
                let name = name(&object).ok_or(ShippedError::NoPolicy { file })?;
                let mut spec = object.get_mut("spec").map(Value::take).unwrap_or_default();
                render(&mut spec, operator, &gates);
                specs.insert(name, spec);
            }
        }
        Ok(Self { specs })
    }
}

fn name(object: &Value) -> Option<Name> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind")?;
    Some(Name {
        kind: KINDS.into_iter().find(|known| *known == kind)?,
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
        let shipped = Shipped::new(OPERATOR, &[]).unwrap();
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
    fn the_operator_and_the_gates_are_those_of_the_installation() {
        let shipped = Shipped::new(
            "system:serviceaccount:guard:me",
            &["kueue.x-k8s.io/admission".to_owned()],
        )
        .unwrap();
        let text = serde_json::to_string(&shipped.specs.values().collect::<Vec<_>>()).unwrap();
        assert!(!text.contains(OPERATOR));
        assert!(text.matches("system:serviceaccount:guard:me").count() > 3);
        assert!(text.contains("['vouchsafe.dev/clearance', 'kueue.x-k8s.io/admission']"));
    }
}
