//! Whether protected configuration is still what it was when it was protected.
//!
//! Takes the ledger and the watch of ConfigMaps; gives the names whose bytes are other ones now, or that came or went. What was protected
//! while this process did not run was guarded by the API server, and is taken as it is found.

use crate::{
    enforce::{Context, Error, write},
    observe::content,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt, runtime::reflector::ObjectRef};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};
use vouchsafe_core::{clearance::LedgerSpec, digest::Digest};

/// What is known of protected ConfigMaps, by namespace and name.
#[derive(Default)]
pub(crate) struct Seen {
    known: Mutex<HashMap<(String, String), State>>,
}

/// A ConfigMap as it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    version: String,
    content: Digest,
}

/// What was found now.
#[derive(Default)]
pub(super) struct Found {
    /// Names, as `Kind/name`, that are not what they were.
    pub(super) changed: BTreeSet<String>,
    now: BTreeMap<String, Option<State>>,
}

/// Looks at everything that the ledger protects.
pub(super) async fn look(context: &Context, namespace: &str, ledger: Option<&LedgerSpec>) -> Result<Found, Error> {
    let mut found = Found::default();
    for (name, protected) in ledger.iter().flat_map(|ledger| &ledger.protected_config) {
        // Secrets whose bytes are content are not watched; the API server guards them.
        let Some(config_map) = name.strip_prefix("ConfigMap/") else {
            continue;
        };
        let key = (namespace.to_owned(), config_map.to_owned());
        let known = context.ledgers.config.get(&key);
        let there = context
            .world
            .config_maps
            .get(&ObjectRef::new(config_map).within(namespace));
        let state = match &there {
            None => None,
            Some(there)
                if known.as_ref().map(|known| Some(&known.version))
                    == Some(there.metadata.resource_version.as_ref()) =>
            {
                known.clone()
            }
            Some(_) => read(context, namespace, config_map).await?,
        };
        let came_or_went = state.is_some() != protected.present;
        let differs = known.is_some_and(|known| state.as_ref().is_some_and(|state| state.content != known.content));
        if came_or_went || differs {
            found.changed.insert(name.clone());
        }
        found.now.insert(config_map.to_owned(), state);
    }
    Ok(found)
}

async fn read(context: &Context, namespace: &str, name: &str) -> Result<Option<State>, Error> {
    let api: Api<ConfigMap> = Api::namespaced(context.world.client.clone(), namespace);
    let read = api
        .get_opt(name)
        .await
        .map_err(write::failed("read", format!("{namespace}/{name}")))?;
    Ok(read.map(|object| {
        let version = object.resource_version().unwrap_or_default();
        let content = content::of_config_map(object);
        let keys = content.data.iter().map(|(key, bytes)| (key.clone(), Digest::of(bytes)));
        let keys: BTreeMap<_, _> = keys.collect();
        State {
            version,
            content: Digest::of_json(&serde_json::to_value(keys).unwrap_or_default()),
        }
    }))
}

impl Seen {
    fn get(&self, key: &(String, String)) -> Option<State> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Takes what was found as what is: called when what changed was withdrawn.
    pub(super) fn remember(&self, namespace: &str, found: Found) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(of, name), _| of != namespace || found.now.contains_key(name));
        for (name, state) in found.now {
            let key = (namespace.to_owned(), name);
            match state {
                Some(state) => drop(known.insert(key, state)),
                None => drop(known.remove(&key)),
            }
        }
    }
}
