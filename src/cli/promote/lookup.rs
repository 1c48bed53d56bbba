//! What manifests refer to and do not hold, from the namespace that they are for.

use crate::cli::{
    agents::{self, Described, Known},
    cluster::{Cluster, ClusterError},
    manifests::Manifests,
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};
use vouchsafe_core::surface::{ConfigKind, ConfigObject, Content, Lookup, Objects};

type Key = (ConfigKind, String);

/// The manifests' own configuration before that of the namespace.
struct Layered<'a> {
    given: &'a Objects,
    found: BTreeMap<Key, Lookup<ConfigObject>>,
    asked: RefCell<BTreeSet<Key>>,
}

impl Layered<'_> {
    fn look(&self, kind: ConfigKind, name: &str) -> Lookup<ConfigObject> {
        let given = match kind {
            ConfigKind::ConfigMap => self.given.config_maps.get(name),
            ConfigKind::Secret => self.given.secrets.get(name),
        };
        if let Some(given) = given {
            return Lookup::Found(given.clone());
        }
        let key = (kind, name.to_owned());
        self.found.get(&key).cloned().unwrap_or_else(|| {
            self.asked.borrow_mut().insert(key);
            Lookup::Unknown("it was not read yet".to_owned())
        })
    }
}

impl Content for Layered<'_> {
    fn config_map(&self, name: &str) -> Lookup<ConfigObject> {
        self.look(ConfigKind::ConfigMap, name)
    }

    fn secret(&self, name: &str) -> Lookup<ConfigObject> {
        self.look(ConfigKind::Secret, name)
    }
}

/// Works an agent out, reading from the namespace until nothing more is asked for.
pub(crate) async fn know(agent: Described, manifests: &Manifests, cluster: &Cluster) -> Result<Known, ClusterError> {
    let mut found = BTreeMap::new();
    loop {
        let content = Layered {
            given: &agent.objects,
            found,
            asked: RefCell::default(),
        };
        let resolved = agents::resolved(&agent, &content);
        let asked = content.asked.take();
        found = content.found;
        if asked.is_empty() {
            return Ok(agents::with_advice(agent, resolved, manifests));
        }
        for (kind, name) in asked {
            let read = read(kind, &name, cluster).await?;
            found.insert((kind, name), read);
        }
    }
}

/// What we may not read is not known, which is a problem of the surface and not an error.
async fn read(kind: ConfigKind, name: &str, cluster: &Cluster) -> Result<Lookup<ConfigObject>, ClusterError> {
    let read = match kind {
        ConfigKind::ConfigMap => cluster
            .find::<ConfigMap>(name)
            .await
            .map(|found| found.map(of_config_map)),
        ConfigKind::Secret => cluster.find::<Secret>(name).await.map(|found| found.map(of_secret)),
    };
    match read {
        Ok(Some(object)) => Ok(Lookup::Found(object)),
        Ok(None) => Ok(Lookup::Absent),
        Err(error @ ClusterError::Forbidden { .. }) => Ok(Lookup::Unknown(error.to_string())),
        Err(error) => Err(error),
    }
}

/// The content of a stored ConfigMap.
pub(crate) fn of_config_map(found: ConfigMap) -> ConfigObject {
    let text = found
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(key, text)| (key, text.into_bytes()));
    let bytes = found
        .binary_data
        .unwrap_or_default()
        .into_iter()
        .map(|(key, bytes)| (key, bytes.0));
    ConfigObject {
        data: text.chain(bytes).collect(),
        immutable: found.immutable.unwrap_or_default(),
    }
}

fn of_secret(found: Secret) -> ConfigObject {
    let data = found
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(key, bytes)| (key, bytes.0));
    ConfigObject {
        data: data.collect(),
        immutable: found.immutable.unwrap_or_default(),
    }
}
