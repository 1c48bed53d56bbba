//! The Clearance as stored, written as a whole and only over what was read: nothing that somebody slipped in survives.

use crate::{
    enforce::{Context, Error, write},
    traces::Trail,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt,
    api::{ObjectMeta, PostParams},
    core::PartialObjectMeta,
    runtime::reflector::ObjectRef,
};
use std::sync::Arc;
use vouchsafe_api::{Clearance, clearance::NAME};
use vouchsafe_core::clearance::LedgerSpec;

/// One namespace's ledger.
pub(super) struct Stored {
    namespace: String,
    object: Option<Arc<Clearance>>,
}

impl Stored {
    /// As the watch saw it.
    pub(super) async fn read(context: &Context, namespace: &str) -> Result<Self, Error> {
        let found = context.world.clearances.get(&ObjectRef::new(NAME).within(namespace));
        Ok(Self {
            namespace: namespace.to_owned(),
            object: found,
        })
    }

    /// What it says, when it was written for this namespace and this environment.
    pub(super) fn valid_for(&self, namespace: &PartialObjectMeta<Namespace>, environment: &str) -> Option<LedgerSpec> {
        let uid = namespace.metadata.uid.as_deref().unwrap_or_default();
        self.spec().filter(|spec| spec.is_of(environment, uid))
    }

    fn spec(&self) -> Option<LedgerSpec> {
        let spec = serde_json::to_value(&self.object.as_ref()?.spec).ok()?;
        serde_json::from_value(spec).ok()
    }

    /// Takes out what is not cleared any more; gives what is left.
    pub(super) async fn withdraw(
        &mut self,
        context: &Context,
        spec: Option<LedgerSpec>,
        trail: &Trail,
    ) -> Result<Option<LedgerSpec>, Error> {
        self.write(context, spec, "withdraw", trail).await?;
        Ok(self.spec())
    }

    /// Protects configuration; gives what is written.
    pub(super) async fn protect(
        &mut self,
        context: &Context,
        spec: Option<LedgerSpec>,
        trail: &Trail,
    ) -> Result<Option<LedgerSpec>, Error> {
        self.write(context, spec, "protect", trail).await?;
        Ok(self.spec())
    }

    /// Lets in what is cleared.
    pub(super) async fn grant(
        &mut self,
        context: &Context,
        spec: Option<LedgerSpec>,
        trail: &Trail,
    ) -> Result<(), Error> {
        self.write(context, spec, "grant", trail).await
    }

    /// Writes it, when there is anything to write. Ledgers are large: none is kept longer than it is needed.
    async fn write(
        &mut self,
        context: &Context,
        spec: Option<LedgerSpec>,
        what: &'static str,
        trail: &Trail,
    ) -> Result<(), Error> {
        let Some(spec) = spec else { return Ok(()) };
        trail.writes(&spec);
        let api: Api<Clearance> = Api::namespaced(context.world.client.clone(), &self.namespace);
        let failed = || write::failed(what, format!("{}/{NAME}", self.namespace));
        let value = serde_json::to_value(&spec);
        drop(spec);
        let spec = value.and_then(serde_json::from_value);
        let spec = spec.map_err(|error| failed()(kube::Error::SerdeError(error)))?;
        let metadata = ObjectMeta {
            name: Some(NAME.to_owned()),
            namespace: Some(self.namespace.clone()),
            resource_version: self.object.as_deref().and_then(ResourceExt::resource_version),
            uid: self.object.as_deref().and_then(ResourceExt::uid),
            ..ObjectMeta::default()
        };
        let object = Clearance { metadata, spec };
        let params = PostParams::default();
        let written = if self.object.is_some() {
            let replaced = async { api.replace(NAME, &params, &object).await.map_err(failed()) };
            trail.step(what, Some("PUT"), replaced).await
        } else {
            let created = async { api.create(&params, &object).await.map_err(failed()) };
            trail.step(what, Some("POST"), created).await
        };
        self.object = Some(Arc::new(written?));
        tracing::info!(
            event = "ledger",
            namespace = self.namespace,
            what,
            "the ledger was written"
        );
        Ok(())
    }
}
