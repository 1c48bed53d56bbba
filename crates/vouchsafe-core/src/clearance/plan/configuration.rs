//! Configuration that what is granted is made of, and whether it is as it was.

use crate::{
    clearance::ledger::{LedgerSpec, Protected},
    surface::ConfigReference,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Whether each object is there. What says otherwise cannot be granted beside it.
#[derive(Debug)]
pub(super) struct Truth<'a> {
    protected: BTreeMap<String, Protected>,
    before: Option<&'a BTreeMap<String, Protected>>,
    changed: &'a BTreeSet<String>,
}

impl<'a> Truth<'a> {
    pub(super) fn new(known: Option<&'a LedgerSpec>, changed: &'a BTreeSet<String>) -> Self {
        Self {
            protected: BTreeMap::new(),
            before: known.map(|known| &known.protected_config),
            changed,
        }
    }

    /// Objects of a release as they are now; or the one of which something else is known.
    pub(super) fn now(configuration: &[ConfigReference]) -> BTreeMap<String, Protected> {
        let named = |reference: &ConfigReference| {
            let present = reference.present;
            (
                format!("{}/{}", reference.kind.as_str(), reference.name),
                Protected { present },
            )
        };
        configuration.iter().map(named).collect()
    }

    /// Objects that a pod's spec refers to and that the ledger protects, as they were when it was granted; or the one that changed.
    pub(super) fn before(&self, spec: &Value) -> Result<BTreeMap<String, Protected>, String> {
        let mut names = BTreeSet::new();
        referred(spec, &mut names);
        match names.intersection(self.changed).next() {
            Some(name) => Err(name.clone()),
            None => {
                let was = |name: String| Some((name.clone(), *self.before?.get(&name)?));
                Ok(names.into_iter().filter_map(was).collect())
            }
        }
    }

    /// The names among them that are new, if they contradict nothing; else the one that does.
    pub(super) fn added<'n>(&self, objects: &'n BTreeMap<String, Protected>) -> Result<Vec<&'n str>, String> {
        let other =
            |(name, object): &(&String, &Protected)| self.protected.get(*name).is_some_and(|known| known != *object);
        match objects.iter().find(other) {
            Some((name, _)) => Err(name.clone()),
            None => Ok(objects
                .keys()
                .map(String::as_str)
                .filter(|name| !self.protected.contains_key(*name))
                .collect()),
        }
    }

    pub(super) fn add(&mut self, objects: BTreeMap<String, Protected>) {
        self.protected.extend(objects);
    }

    pub(super) fn into_protected(self) -> BTreeMap<String, Protected> {
        self.protected
    }
}

/// The ConfigMaps that a pod's spec names, wherever.
#[must_use]
pub fn config_maps(spec: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    referred(spec, &mut names);
    let config_maps = names.iter().filter_map(|name| name.strip_prefix("ConfigMap/"));
    config_maps.map(str::to_owned).collect()
}

/// Every ConfigMap and Secret that a spec names, wherever.
fn referred(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let kind = match key.as_str() {
                    "configMap" | "configMapRef" | "configMapKeyRef" => Some("ConfigMap"),
                    "secret" | "secretRef" | "secretKeyRef" => Some("Secret"),
                    _ => None,
                };
                let name = field
                    .get("secretName")
                    .or_else(|| field.get("name"))
                    .and_then(Value::as_str);
                names.extend(kind.zip(name).map(|(kind, name)| format!("{kind}/{name}")));
                referred(field, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, names)),
        _ => {}
    }
}
