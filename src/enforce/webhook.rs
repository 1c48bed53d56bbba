//! The certificates of the webhook, and whom the API server trusts for it.
//!
//! Takes what the Secret and the configurations say; writes what is due. Both were made by the chart and are changed by name, in this order: a
//! certificate that is not trusted yet is never shown for long, and nothing but whom to trust is changed in a configuration.

use super::{Context, Error, write};
use crate::webhook::{CONFIGURATIONS, Certificates, MakeError, SECRET};
use k8s_openapi::{
    ByteString,
    api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Secret},
};
use kube::{
    Api,
    api::{PostParams, TypeMeta},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

const MANAGER: &str = "vouchsafe-webhook";
/// How often it is looked whether all is as it has to be.
const LOOK: Duration = Duration::from_secs(10);
/// The same after something failed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why the webhook cannot be asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The API server refused.
    #[error(transparent)]
    Cluster(#[from] Error),
    /// There is no certificate.
    #[error(transparent)]
    Make(#[from] MakeError),
}

/// Keeps both right, as long as it is polled.
pub(crate) async fn run(context: Arc<Context>, host: String) {
    let mut known = None;
    loop {
        let turn = turn(&context, &host).await;
        match &turn {
            Ok(bundle) if known.as_ref() != Some(bundle) => {
                tracing::info!(event = "webhook", host, "the API server trusts what is shown to it");
                known = Some(bundle.clone());
            }
            Ok(_) => {}
            Err(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::warn!(event = "webhook", %error, cause, "the API server may not trust what is shown to it");
            }
        }
        sleep(if turn.is_ok() { LOOK } else { LOOK_AGAIN }).await;
    }
}

/// Looks once; gives whom the API server trusts.
async fn turn(context: &Context, host: &str) -> Result<String, Failure> {
    let namespace = &context.settings.namespace;
    let secrets: Api<Secret> = Api::namespaced(context.world.client.clone(), namespace);
    let called = || format!("{namespace}/{SECRET}");
    let mut secret = secrets
        .get(SECRET)
        .await
        .map_err(write::failed("read the Secret", called()))?;
    let known = Certificates::read(&secret.data.take().unwrap_or_default());
    let due = Certificates::due(known.as_ref(), host, super::now())?;
    if let Some(due) = &due {
        secret.data = Some(due.data());
        let written = secrets.replace(SECRET, &PostParams::default(), &secret).await;
        written.map_err(write::failed("write the Secret", called()))?;
        tracing::info!(event = "webhook", host, "certificates were made");
    }
    let bundle = due.or(known).map(|held| held.bundle()).unwrap_or_default();
    // One that cannot be written keeps no other from being written.
    let [hold, default] = CONFIGURATIONS.map(|name| trust(context, name, &bundle));
    let (hold, default) = tokio::join!(hold, default);
    hold.and(default)?;
    Ok(bundle)
}

/// Writes whom to trust into one configuration, if it is there and says otherwise.
async fn trust(context: &Context, name: &str, bundle: &str) -> Result<(), Error> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(context.world.client.clone());
    let found = api.get_opt(name).await;
    let Some(found) = found.map_err(write::failed("read the webhooks of", name.to_owned()))? else {
        return Ok(());
    };
    let bundle = ByteString(bundle.as_bytes().to_vec());
    let webhooks = found.webhooks.unwrap_or_default();
    if webhooks
        .iter()
        .all(|webhook| webhook.client_config.ca_bundle.as_ref() == Some(&bundle))
    {
        return Ok(());
    }
    let trusting = |name: &str| json!({"name": name, "clientConfig": {"caBundle": bundle}});
    let webhooks: Vec<Value> = webhooks.iter().map(|webhook| trusting(&webhook.name)).collect();
    let types = TypeMeta::resource::<MutatingWebhookConfiguration>();
    let body = json!({
        "apiVersion": types.api_version, "kind": types.kind,
        "metadata": {"name": name, "uid": found.metadata.uid}, "webhooks": webhooks,
    });
    write::apply(&api, name, MANAGER, &body).await.map(drop)
}
