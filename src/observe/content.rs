//! Configuration: the bytes of ConfigMaps (and of Secrets that are content) of one namespace.
//!
//! Takes names, reads objects from the API server and keeps the bytes of ConfigMaps by resourceVersion, within a bound. Secrets are never
//! kept. Reads only the namespace it is asked for.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};
use vouchsafe_core::surface::{ConfigKind, ConfigObject, Content, Lookup};

/// Bytes of all ConfigMaps that are kept.
const MAX_KEPT: usize = 24 * 1024 * 1024;

type Key = (String, String);

/// ConfigMaps that were read, by namespace and name.
#[derive(Default)]
pub(crate) struct Kept {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_name: HashMap<Key, (String, Arc<ConfigObject>)>,
    bytes: usize,
}

impl Kept {
    /// The object at this resourceVersion.
    fn get(&self, key: &Key, version: &str) -> Option<Arc<ConfigObject>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, object) = entries.by_name.get(key)?;
        (kept == version).then(|| Arc::clone(object))
    }

    fn put(&self, key: Key, version: String, object: &Arc<ConfigObject>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let size = size(object);
        if entries.bytes + size > MAX_KEPT {
            entries.by_name.clear();
            entries.bytes = 0;
        }
        if let Some((_, old)) = entries.by_name.insert(key, (version, Arc::clone(object))) {
            entries.bytes = entries.bytes.saturating_sub(self::size(&old));
        }
        entries.bytes += size;
    }
}

fn size(object: &ConfigObject) -> usize {
    object.data.iter().map(|(key, bytes)| key.len() + bytes.len()).sum()
}

/// What is at hand while a surface is resolved; what was asked for and is not, is noted.
#[derive(Default)]
pub(crate) struct AtHand {
    objects: BTreeMap<(ConfigKind, String), Lookup<Arc<ConfigObject>>>,
    asked: RefCell<BTreeSet<(ConfigKind, String)>>,
}

impl AtHand {
    fn look(&self, kind: ConfigKind, name: &str) -> Lookup<ConfigObject> {
        let key = (kind, name.to_owned());
        match self.objects.get(&key) {
            Some(Lookup::Found(object)) => Lookup::Found(object.as_ref().clone()),
            Some(Lookup::Absent) => Lookup::Absent,
            Some(Lookup::Unknown(why)) => Lookup::Unknown(why.clone()),
            None => {
                self.asked.borrow_mut().insert(key);
                Lookup::Unknown("it was not read yet".to_owned())
            }
        }
    }

    fn take_asked(&self) -> BTreeSet<(ConfigKind, String)> {
        self.asked.take()
    }
}

impl Content for AtHand {
    fn config_map(&self, name: &str) -> Lookup<ConfigObject> {
        self.look(ConfigKind::ConfigMap, name)
    }

    fn secret(&self, name: &str) -> Lookup<ConfigObject> {
        self.look(ConfigKind::Secret, name)
    }
}

/// Reads what resolving asks for until it asks for nothing more.
///
/// `version` tells the resourceVersion that a watch has seen of a ConfigMap, where the bytes of that version may be used; with none every
/// object is read anew.
pub(crate) async fn with_content<T>(
    client: &Client,
    kept: &Kept,
    namespace: &str,
    version: &(dyn Fn(&str) -> Option<String> + Sync),
    resolve: impl Fn(&AtHand) -> T,
) -> T {
    let mut at_hand = AtHand::default();
    loop {
        let resolved = resolve(&at_hand);
        let asked = at_hand.take_asked();
        if asked.is_empty() {
            return resolved;
        }
        for (kind, name) in asked {
            let found = match kind {
                ConfigKind::ConfigMap => config_map(client, kept, namespace, &name, version(&name)).await,
                ConfigKind::Secret => secret(client, namespace, &name).await,
            };
            at_hand.objects.insert((kind, name), found);
        }
    }
}

async fn config_map(
    client: &Client,
    kept: &Kept,
    namespace: &str,
    name: &str,
    version: Option<String>,
) -> Lookup<Arc<ConfigObject>> {
    let key = (namespace.to_owned(), name.to_owned());
    if let Some(object) = version.and_then(|version| kept.get(&key, &version)) {
        return Lookup::Found(object);
    }
    match Api::<ConfigMap>::namespaced(client.clone(), namespace)
        .get_opt(name)
        .await
    {
        Ok(Some(found)) => {
            let version = found.metadata.resource_version.clone().unwrap_or_default();
            let object = Arc::new(of_config_map(found));
            kept.put(key, version, &object);
            Lookup::Found(object)
        }
        Ok(None) => Lookup::Absent,
        Err(error) => Lookup::Unknown(error.to_string()),
    }
}

async fn secret(client: &Client, namespace: &str, name: &str) -> Lookup<Arc<ConfigObject>> {
    match Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name).await {
        Ok(Some(found)) => {
            let data = found
                .data
                .unwrap_or_default()
                .into_iter()
                .map(|(key, bytes)| (key, bytes.0));
            Lookup::Found(Arc::new(ConfigObject {
                data: data.collect(),
                immutable: found.immutable.unwrap_or_default(),
            }))
        }
        Ok(None) => Lookup::Absent,
        Err(kube::Error::Api(status)) if status.code == 403 => Lookup::Unknown(
            "Vouchsafe may not read Secrets here; give its service account `get` on this one if its bytes are content"
                .to_owned(),
        ),
        Err(error) => Lookup::Unknown(error.to_string()),
    }
}

pub(crate) fn of_config_map(found: ConfigMap) -> ConfigObject {
    let text = found.data.unwrap_or_default().into_iter();
    let bytes = found.binary_data.unwrap_or_default().into_iter();
    ConfigObject {
        data: text
            .map(|(key, text)| (key, text.into_bytes()))
            .chain(bytes.map(|(key, bytes)| (key, bytes.0)))
            .collect(),
        immutable: found.immutable.unwrap_or_default(),
    }
}
