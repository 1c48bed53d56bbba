//! Watches: each kind is watched once, kept in a store, and every event wakes whoever depends on it.
//!
//! Takes an API, gives a store. An object that cannot be read is passed over loudly and does not stall the others.

use futures::{StreamExt, TryStreamExt, future};
use kube::{
    Api, Resource,
    api::{ApiResource, DynamicObject, ObjectMeta, TypeMeta},
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        watcher::{self, Event},
    },
};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, hash::Hash};
use tokio::task::JoinSet;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is there.
    Present,
    /// It is gone.
    Gone,
}

/// Watches and their tasks.
pub(crate) struct Watches<'t> {
    /// Where the tasks run.
    pub(crate) tasks: &'t mut JoinSet<()>,
}

impl Watches<'_> {
    /// Watches one of our own kinds, each object read by itself; every event wakes.
    pub(crate) fn guarded<K>(
        &mut self,
        api: Api<DeserializeGuard<K>>,
        wake: impl Fn(&K, Seen) + Send + 'static,
    ) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    {
        self.read(api, |_, _| true, wake)
    }

    /// The same for a kind whose status nothing is made of: that the operator wrote a status wakes nobody.
    pub(crate) fn specified<K>(
        &mut self,
        api: Api<DeserializeGuard<K>>,
        wake: impl Fn(&K, Seen) + Send + 'static,
    ) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    {
        self.read(api, differs, wake)
    }

    fn read<K>(
        &mut self,
        api: Api<DeserializeGuard<K>>,
        is_news: impl Fn(&K, &K) -> bool + Send + 'static,
        wake: impl Fn(&K, Seen) + Send + 'static,
    ) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let (store, mut writer) = reflector::store::<K>();
        let known = store.clone();
        let events = watcher::watcher(api, watcher::Config::default()).default_backoff();
        self.tasks.spawn(async move {
            events
                .for_each(move |event| {
                    let event = event.map_err(|error| warn::<K>(&error)).ok();
                    if let Some(event) = event.and_then(readable) {
                        let before = concerned(&event).and_then(|object| known.get(&ObjectRef::from_obj(object)));
                        writer.apply_watcher_event(&event);
                        let gone = matches!(event, Event::Delete(_));
                        let news = |object: &K| gone || before.is_none_or(|before| is_news(&before, object));
                        if let Some(object) = concerned(&event).filter(|object| news(object)) {
                            wake(object, if gone { Seen::Gone } else { Seen::Present });
                        }
                    }
                    future::ready(())
                })
                .await;
        });
        store
    }

    /// Watches a kind as it is stored, but for managed fields, and keeps what is to be retained; every event wakes.
    pub(crate) fn raw(
        &mut self,
        api: Api<DynamicObject>,
        resource: ApiResource,
        retain: impl Fn(&DynamicObject) -> bool + Send + 'static,
        wake: impl Fn(&DynamicObject, Seen) + Send + 'static,
    ) -> Store<DynamicObject> {
        let types = TypeMeta {
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
        };
        let writer = reflector::store::Writer::new(resource);
        let store = writer.as_reader();
        // Objects in a list do not say what they are.
        let events =
            watcher::watcher(api, watcher::Config::default()).modify(move |object| object.types = Some(types.clone()));
        self.keep(events, writer, retain, wake);
        store
    }

    /// Watches only the metadata of a kind.
    pub(crate) fn metadata<K>(
        &mut self,
        api: Api<kube::core::PartialObjectMeta<K>>,
        wake: impl Fn(&kube::core::PartialObjectMeta<K>, Seen) + Send + 'static,
    ) -> Store<kube::core::PartialObjectMeta<K>>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let (store, writer) = reflector::store();
        let events = watcher::watcher(api, watcher::Config::default());
        self.keep(events, writer, |_| true, wake);
        store
    }

    fn keep<K>(
        &mut self,
        events: impl futures::Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
        mut writer: reflector::store::Writer<K>,
        retain: impl Fn(&K) -> bool + Send + 'static,
        wake: impl Fn(&K, Seen) + Send + 'static,
    ) where
        K: Resource + Clone + Send + Sync + 'static,
        K::DynamicType: Clone + Eq + Hash + Send + Sync,
    {
        let events = events.default_backoff().modify(|object| {
            object.meta_mut().managed_fields = None;
        });
        self.tasks.spawn(async move {
            let applied = events.inspect_err(|error| tracing::warn!(event = "watch", %error, "watch was interrupted"));
            applied
                .for_each(move |event| {
                    if let Ok(event) = event {
                        let concerned = concerned(&event).cloned();
                        let gone = matches!(event, Event::Delete(_));
                        if let Some(event) = retained(event, &retain) {
                            writer.apply_watcher_event(&event);
                        }
                        if let Some(object) = concerned {
                            wake(&object, if gone { Seen::Gone } else { Seen::Present });
                        }
                    }
                    future::ready(())
                })
                .await;
        });
    }
}

/// Whether anything but the status is another: what people write changes the generation.
fn differs<K: Resource>(before: &K, after: &K) -> bool {
    let of = |object: &K| {
        let ObjectMeta {
            uid,
            generation,
            deletion_timestamp,
            labels,
            ..
        } = object.meta().clone();
        (uid, generation, deletion_timestamp, labels)
    };
    of(before) != of(after)
}

fn concerned<K>(event: &Event<K>) -> Option<&K> {
    match event {
        Event::Apply(object) | Event::InitApply(object) | Event::Delete(object) => Some(object),
        Event::Init | Event::InitDone => None,
    }
}

/// What the store is told: what is not to be retained is not there.
fn retained<K>(event: Event<K>, retain: &impl Fn(&K) -> bool) -> Option<Event<K>> {
    match event {
        Event::Apply(object) if !retain(&object) => Some(Event::Delete(object)),
        Event::InitApply(object) if !retain(&object) => None,
        other => Some(other),
    }
}

fn warn<K: Resource<DynamicType = ()>>(error: &watcher::Error) {
    tracing::warn!(event = "watch", kind = %K::kind(&()), %error, "watch was interrupted");
}

/// The event without the guard; none when the object cannot be read.
fn readable<K>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>>
where
    K: Resource<DynamicType = ()>,
{
    let read = |guard: DeserializeGuard<K>| match guard.0 {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            Some(object)
        }
        Err(invalid) => {
            let name = invalid.metadata.name.as_deref().unwrap_or_default();
            let namespace = invalid.metadata.namespace.as_deref().unwrap_or_default();
            tracing::error!(event = "unreadable", kind = %K::kind(&()), namespace, name, error = %invalid.error, "an object cannot be read");
            None
        }
    };
    Some(match event {
        Event::Apply(object) => Event::Apply(read(object)?),
        Event::Delete(object) => Event::Delete(read(object)?),
        Event::InitApply(object) => Event::InitApply(read(object)?),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    })
}
