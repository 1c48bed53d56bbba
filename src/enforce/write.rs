//! Writing objects: server-side apply under one field manager a controller, and nothing when nothing changed.

use super::Error;
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt::Debug;

/// The object as `namespace/name`, for words.
pub(crate) fn name_of(object: &impl Resource) -> String {
    match object.meta().namespace.as_deref() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}

/// What could not be done with which object, and why.
pub(crate) fn failed(what: &'static str, object: String) -> impl FnOnce(kube::Error) -> Error {
    move |source| Error::Api {
        what,
        object,
        source: Box::new(source),
    }
}

/// Applies the whole status of an object, if it is still as it was when it was looked at: what was decided on an older state would be told, and
/// counted, twice.
pub(crate) async fn status<K>(api: &Api<K>, object: &K, manager: &str, status: &impl Serialize) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": object.name_any(), "uid": object.uid(), "resourceVersion": object.resource_version()},
        "status": status,
    });
    let params = PatchParams::apply(manager).force();
    let applied = api
        .patch_status(&object.name_any(), &params, &Patch::Apply(&body))
        .await;
    applied
        .map(drop)
        .map_err(failed("write the status of", name_of(object)))
}

/// Applies an object as a whole.
pub(crate) async fn apply<K>(api: &Api<K>, name: &str, manager: &str, body: &Value) -> Result<K, Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let params = PatchParams::apply(manager).force();
    let applied = api.patch(name, &params, &Patch::Apply(body)).await;
    applied.map_err(failed("apply", name.to_owned()))
}

/// Creates an object; gives whether it was not there before.
pub(crate) async fn create<K>(api: &Api<K>, object: &K) -> Result<bool, Error>
where
    K: Resource + Clone + DeserializeOwned + Debug + Serialize,
{
    match api.create(&PostParams::default(), object).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(failed("create", name_of(object))(error)),
    }
}

/// Deletes this very object, if it is still there.
pub(crate) async fn delete<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: object.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api.delete(&object.name_any(), &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(failed("delete", name_of(object))(error)),
    }
}
