//! What is beside the agents of a namespace: service accounts, Roles, RoleBindings and Services, each reduced to what the ledger records.
//!
//! Takes a client; gives what is there by namespace, and a word whenever something that counts changed. Nothing waits for these watches: a
//! cluster that does not let us see them is no reason to let nothing in. What was not listed yet is unknown, not absent.

use super::change::Change;
use futures::{StreamExt, future};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    task::JoinSet,
    time::timeout,
};
use vouchsafe_core::clearance::{RoleBinding, There, annotations, leads, role_binding, rules};

/// How long the start waits for the first lists.
const PATIENCE: Duration = Duration::from_secs(10);
/// What counts of an object of a namespace.
type Reduce = fn(&Value, &str) -> Option<Reduced>;
/// API version, kind, and what counts of it. A RoleBinding that reaches no service account does not.
const KINDS: [(&str, &str, Reduce); 4] = [
    ("v1", "ServiceAccount", |raw, _| {
        Some(Reduced::Account(annotations(raw)))
    }),
    ("v1", "Service", |raw, _| Some(Reduced::Service(leads(raw)))),
    (RBAC, "Role", |raw, _| Some(Reduced::Role(rules(raw)))),
    (RBAC, "RoleBinding", |raw, namespace| {
        role_binding(raw, namespace).map(Reduced::Binding)
    }),
];
const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// An object, reduced.
#[derive(Debug, Clone, PartialEq)]
enum Reduced {
    Account(BTreeMap<String, String>),
    Role(Option<Vec<Value>>),
    Binding(RoleBinding),
    Service(Option<Value>),
}

type Objects = HashMap<String, BTreeMap<String, Reduced>>;

/// What is known of one kind, by namespace and name.
#[derive(Default)]
struct Kind {
    objects: Objects,
    /// What was listed of a list that has not ended.
    listed: Objects,
    /// Whether all was listed once.
    known: bool,
}

/// What is known.
pub(crate) struct Identities {
    kinds: Mutex<[Kind; 4]>,
    ready: watch::Sender<usize>,
}

impl Default for Identities {
    fn default() -> Self {
        Self {
            kinds: Mutex::default(),
            ready: watch::Sender::new(0),
        }
    }
}

impl Identities {
    /// Watches all kinds in `tasks`; whatever changes is told by its namespace.
    pub(super) fn watch(client: &Client, changes: &UnboundedSender<Change>, tasks: &mut JoinSet<()>) -> Arc<Self> {
        let identities = Arc::new(Self::default());
        for (index, (version, kind, _)) in KINDS.into_iter().enumerate() {
            let resource = super::workloads::resource(version, kind);
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            let (known, changes) = (Arc::clone(&identities), changes.clone());
            tasks.spawn(run(api, resource, index, known, changes));
        }
        identities
    }

    /// Waits for the first lists, within bounds.
    pub(super) async fn ready(&self) {
        let mut ready = self.ready.subscribe();
        let all = ready.wait_for(|count| *count >= KINDS.len());
        if timeout(PATIENCE, all).await.is_err() {
            tracing::warn!(
                event = "watch",
                "service accounts, Roles, RoleBindings and Services cannot all be listed: what they are is not put on record"
            );
        }
    }

    /// What is there in a namespace.
    pub(crate) fn of(&self, namespace: &str) -> There {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let [accounts, services, roles, bindings] = &*kinds;
        There {
            accounts: accounts.of(namespace, |one| match one {
                Reduced::Account(annotations) => Some(annotations.clone()),
                _ => None,
            }),
            services: services.of(namespace, |one| match one {
                Reduced::Service(leads) => Some(leads.clone()),
                _ => None,
            }),
            roles: roles.of(namespace, |one| match one {
                Reduced::Role(rules) => Some(rules.clone()),
                _ => None,
            }),
            bindings: bindings.of(namespace, |one| match one {
                Reduced::Binding(binding) => Some(binding.clone()),
                _ => None,
            }),
        }
    }

    /// Takes in what was seen; gives the namespaces in which something is another now.
    fn take(&self, index: usize, event: Event<DynamicObject>) -> Vec<String> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(kind), Some((_, _, reduce))) = (kinds.get_mut(index), KINDS.get(index)) else {
            return Vec::new();
        };
        match event {
            Event::Init => kind.listed.clear(),
            Event::InitApply(object) => put(&mut kind.listed, &object, *reduce),
            Event::InitDone => {
                let before = std::mem::replace(&mut kind.objects, std::mem::take(&mut kind.listed));
                if !std::mem::replace(&mut kind.known, true) {
                    self.ready.send_modify(|count| *count += 1);
                }
                return differing(&before, &kind.objects);
            }
            Event::Apply(object) => {
                let (namespace, name) = place(&object);
                let before = kind.get(&namespace, &name);
                put(&mut kind.objects, &object, *reduce);
                return if before == kind.get(&namespace, &name) {
                    Vec::new()
                } else {
                    vec![namespace]
                };
            }
            Event::Delete(object) => {
                let (namespace, name) = place(&object);
                remove(&mut kind.objects, &namespace, &name);
                return vec![namespace];
            }
        }
        Vec::new()
    }
}

impl Kind {
    fn get(&self, namespace: &str, name: &str) -> Option<Reduced> {
        self.objects.get(namespace)?.get(name).cloned()
    }

    fn of<T>(&self, namespace: &str, what: impl Fn(&Reduced) -> Option<T>) -> Option<BTreeMap<String, T>> {
        let objects = self.objects.get(namespace).into_iter().flatten();
        let found = objects.filter_map(|(name, one)| Some((name.clone(), what(one)?)));
        self.known.then(|| found.collect())
    }
}

async fn run(
    api: Api<DynamicObject>,
    resource: ApiResource,
    index: usize,
    known: Arc<Identities>,
    changes: UnboundedSender<Change>,
) {
    let kind = resource.kind;
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let taken = events.for_each(move |event| {
        match event {
            Ok(event) => {
                for namespace in known.take(index, event) {
                    // A closed channel means that the operator is shutting down.
                    let _ = changes.send(Change::Identity { namespace });
                }
            }
            Err(error) => tracing::warn!(event = "watch", kind, %error, "watch was interrupted"),
        }
        future::ready(())
    });
    taken.await;
}

fn place(object: &DynamicObject) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Keeps what counts of an object.
fn put(objects: &mut Objects, object: &DynamicObject, reduce: Reduce) {
    let (namespace, name) = place(object);
    match reduce(&super::workloads::json(object), &namespace) {
        Some(reduced) => drop(objects.entry(namespace).or_default().insert(name, reduced)),
        None => remove(objects, &namespace, &name),
    }
}

fn remove(objects: &mut Objects, namespace: &str, name: &str) {
    if let Some(of_namespace) = objects.get_mut(namespace) {
        of_namespace.remove(name);
        if of_namespace.is_empty() {
            objects.remove(namespace);
        }
    }
}

fn differing(before: &Objects, after: &Objects) -> Vec<String> {
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    let differs = |name: &&String| before.get(*name) != after.get(*name);
    names.filter(differs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BINDINGS: usize = 3;

    fn binding(namespace: &str, name: &str, account: &str, label: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": namespace, "labels": {"label": label}},
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": account}],
        }))
        .unwrap()
    }

    fn known(identities: &Identities, namespace: &str) -> Option<Vec<String>> {
        let bindings = identities.of(namespace).bindings?;
        Some(bindings.into_keys().collect())
    }

    #[test]
    fn nothing_is_known_before_all_is_listed() {
        let identities = Identities::default();
        let take = |event| identities.take(BINDINGS, event);
        assert!(take(Event::Init).is_empty());
        assert!(take(Event::InitApply(binding("prod", "a", "refund", ""))).is_empty());
        assert_eq!(known(&identities, "prod"), None);
        assert_eq!(take(Event::InitDone), ["prod"]);
        assert_eq!(known(&identities, "prod").unwrap(), ["a"]);
        assert_eq!(known(&identities, "other").unwrap(), [""; 0]);
        assert_eq!(
            identities.of("prod").accounts,
            None,
            "of the other kinds nothing was listed"
        );
        assert_eq!(*identities.ready.borrow(), 1);
    }

    #[test]
    fn only_what_counts_is_told() {
        let identities = Identities::default();
        let take = |event| identities.take(BINDINGS, event);
        take(Event::Init);
        take(Event::InitDone);
        assert_eq!(take(Event::Apply(binding("prod", "a", "refund", ""))), ["prod"]);
        assert!(take(Event::Apply(binding("prod", "a", "refund", "another"))).is_empty());
        assert_eq!(take(Event::Apply(binding("prod", "a", "other", ""))), ["prod"]);
        assert_eq!(take(Event::Delete(binding("prod", "a", "other", ""))), ["prod"]);
        assert_eq!(known(&identities, "prod").unwrap(), [""; 0]);
        let mut people = binding("prod", "people", "x", "");
        people.data["subjects"] = json!([{"kind": "User", "name": "somebody"}]);
        assert!(take(Event::Apply(people)).is_empty());
    }

    /// A watch that was broken lists anew: what is not in the new list is gone.
    #[test]
    fn a_new_list_replaces_the_old() {
        let identities = Identities::default();
        let take = |event| identities.take(BINDINGS, event);
        take(Event::Init);
        for namespace in ["prod", "stays"] {
            take(Event::InitApply(binding(namespace, "a", "refund", "")));
        }
        take(Event::InitDone);
        take(Event::Init);
        take(Event::InitApply(binding("stays", "a", "refund", "")));
        assert_eq!(known(&identities, "prod").unwrap(), ["a"], "until the list has ended");
        assert_eq!(take(Event::InitDone), ["prod"]);
        assert_eq!(known(&identities, "prod").unwrap(), [""; 0]);
        assert_eq!(known(&identities, "stays").unwrap(), ["a"]);
        assert_eq!(*identities.ready.borrow(), 1, "counted once");
    }
}
