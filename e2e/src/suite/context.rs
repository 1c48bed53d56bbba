//! What a case has to work with: names of its own, users, namespaces, and the parts of the world that it asks for.

use super::{Case, Skipped};
use crate::{
    chance, chart,
    cluster::Cluster,
    cosign::Cosign,
    gitops::GitOps,
    helm::Helm,
    on_node::Images,
    operator::{Operator, built_program},
    registries::Registries,
    registry::{Kind, Registry},
    users::User,
    work::Work,
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::OnceCell;

/// The label by which a namespace joins an environment.
const ENVIRONMENT: &str = "vouchsafe.dev/environment";

/// What all cases share; the operator ends before the cluster does.
pub struct World {
    operator: OnceCell<Operator>,
    chart: OnceCell<()>,
    cosign: OnceCell<Cosign>,
    gitops: OnceCell<GitOps>,
    registries: Registries,
    node: Option<Images>,
    /// The cluster.
    pub cluster: Cluster,
    /// In every name, so that those of another run on the same cluster are others.
    mark: String,
    cases: AtomicU32,
}

impl World {
    /// Around a cluster with a real node.
    ///
    /// # Errors
    /// When there are no free ports.
    pub fn on_node(cluster: Cluster, images: Images) -> Result<Self> {
        Ok(Self {
            node: Some(images),
            ..Self::new(cluster)?
        })
    }

    /// Around a cluster.
    ///
    /// # Errors
    /// When there are no free ports.
    pub fn new(cluster: Cluster) -> Result<Self> {
        Ok(Self {
            operator: OnceCell::new(),
            chart: OnceCell::new(),
            cosign: OnceCell::new(),
            gitops: OnceCell::new(),
            registries: Registries::reserve(cluster.tools())?,
            node: None,
            cluster,
            mark: format!("{:04x}", chance::below(u16::MAX)),
            cases: AtomicU32::new(0),
        })
    }
}

/// What one case has.
#[derive(Clone)]
pub struct Context {
    world: Arc<World>,
    prefix: String,
    names: Arc<AtomicU32>,
    namespaces: Arc<Mutex<Vec<String>>>,
}

impl Context {
    /// For one case.
    pub(super) fn new(world: Arc<World>, case: &Case) -> Self {
        let number = world.cases.fetch_add(1, Ordering::Relaxed);
        let word = case
            .numbers
            .first()
            .map_or_else(|| "case".to_owned(), |number| number.to_lowercase());
        Self {
            prefix: format!("{word}-{}-{number}", world.mark),
            world,
            names: Arc::default(),
            namespaces: Arc::default(),
        }
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.world.cluster
    }

    /// The administrator, for what the platform's engineers would set up.
    #[must_use]
    pub fn admin(&self) -> &User {
        self.cluster().admin()
    }

    /// The administrator's client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.admin().client.clone()
    }

    /// A name that no other case has: `prod` becomes `d01-3f2a-7-prod`, and `d01-3f2a-7-prod-1` when it is asked for again.
    #[must_use]
    pub fn name(&self, base: &str) -> String {
        match self.names.fetch_add(1, Ordering::Relaxed) {
            0 => format!("{}-{base}", self.prefix),
            again => format!("{}-{base}-{again}", self.prefix),
        }
    }

    /// A new namespace that is not governed; its name.
    ///
    /// # Errors
    /// When it cannot be created.
    pub async fn namespace(&self, base: &str) -> Result<String> {
        self.namespace_labelled(base, &[]).await
    }

    /// A new namespace in an environment; its name.
    ///
    /// # Errors
    /// When it cannot be created.
    pub async fn governed_namespace(&self, base: &str, environment: &str) -> Result<String> {
        self.namespace_labelled(base, &[(ENVIRONMENT, environment)]).await
    }

    /// A new namespace with labels; its name.
    ///
    /// # Errors
    /// When it cannot be created.
    pub async fn namespace_labelled(&self, base: &str, labels: &[(&str, &str)]) -> Result<String> {
        let name = self.name(base);
        let labels: BTreeMap<String, String> = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some(labels).filter(|labels| !labels.is_empty()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        Api::<Namespace>::all(self.client())
            .create(&PostParams::default(), &namespace)
            .await
            .with_context(|| format!("cannot create the namespace `{name}`"))?;
        if let Ok(mut namespaces) = self.namespaces.lock() {
            namespaces.push(name.clone());
        }
        Ok(name)
    }

    /// Somebody without rights, whose name no other case has.
    ///
    /// # Errors
    /// When the identity cannot be made.
    pub async fn user(&self, base: &str) -> Result<User> {
        self.cluster().user(&self.name(base), &[]).await
    }

    /// Somebody with the `ClusterRole` `edit` in one namespace: the attacker of most cases.
    ///
    /// # Errors
    /// When the identity or the binding cannot be made.
    pub async fn editor(&self, namespace: &str) -> Result<User> {
        let user = self.user("editor").await?;
        self.cluster().grants().bind(namespace, "edit", user.subject()).await?;
        Ok(user)
    }

    /// The registry that serves the referrers API; all cases share it, so repositories have the case's names.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn registry(&self) -> Result<&Registry> {
        self.world
            .registries
            .shared(Kind::Referrers, self.cluster().work())
            .await
    }

    /// The registry without the referrers API, shared likewise.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn registry_without_referrers(&self) -> Result<&Registry> {
        self.world
            .registries
            .shared(Kind::Distribution, self.cluster().work())
            .await
    }

    /// A registry of this case alone, to pause or kill.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn own_registry(&self, kind: Kind) -> Result<Registry> {
        self.world.registries.own(kind, self.cluster().work()).await
    }

    /// An address that the operator may speak to and where nothing listens: for a registry that is down, or one that the case plays.
    ///
    /// # Errors
    /// When all were given away.
    pub fn registry_address(&self) -> Result<&str> {
        self.world.registries.spare_address()
    }

    /// Signs images.
    ///
    /// # Errors
    /// When cosign fails.
    pub async fn cosign(&self) -> Result<&Cosign> {
        let prepare = || Cosign::prepare(self.cluster().tools(), self.cluster().work());
        self.world.cosign.get_or_try_init(prepare).await
    }

    /// How Argo CD and Flux judge objects.
    ///
    /// # Errors
    /// When the program cannot be built.
    pub async fn gitops(&self) -> Result<&GitOps> {
        self.world.gitops.get_or_try_init(GitOps::prepare).await
    }

    /// Installs the chart once, without an operator: for what the API server does by itself.
    ///
    /// # Errors
    /// When it cannot be installed.
    pub async fn chart(&self) -> Result<()> {
        let install = || chart::install(self.cluster());
        self.world.chart.get_or_try_init(install).await.copied()
    }

    /// Installs what the chart brings by another way, where nothing was installed: on a cluster of its own.
    ///
    /// # Errors
    /// When it cannot be installed, or the chart already was.
    pub async fn chart_by(&self, install: impl Future<Output = Result<()>>) -> Result<()> {
        ensure!(!self.world.chart.initialized(), "the chart is installed");
        self.world.chart.get_or_try_init(|| install).await.copied()
    }

    /// The operator of the installed chart, running; the first case that asks starts it. Only a case that runs alone may kill it,
    /// and must leave it running.
    ///
    /// # Errors
    /// When it cannot be installed, or does not get ready.
    pub async fn operator(&self) -> Result<&Operator> {
        self.chart().await?;
        let launch = || Operator::launch(self.cluster(), &self.world.registries);
        self.world.operator.get_or_try_init(launch).await
    }

    /// Another operator beside it, of the same chart, that does not run yet.
    ///
    /// # Errors
    /// When the product was not built.
    pub async fn another_operator(&self, name: &str) -> Result<Operator> {
        self.operator().await?;
        Operator::prepare(self.cluster(), &self.world.registries, &built_program()?, name).await
    }

    /// The same case on a cluster of its own, which ends with it: for what would take the shared one down.
    ///
    /// # Errors
    /// When the shared cluster is not ours, or the other does not come up.
    pub async fn elsewhere(&self) -> Result<Self> {
        self.must_be_ours()?;
        let cluster = Cluster::start(self.cluster().tools().clone(), Work::take("own")?).await?;
        Ok(Self {
            world: Arc::new(World::new(cluster)?),
            prefix: self.prefix.clone(),
            names: Arc::default(),
            namespaces: Arc::default(),
        })
    }

    /// What runs on the real node.
    ///
    /// # Errors
    /// Where there is none.
    pub fn images(&self) -> Result<&Images> {
        self.world.node.as_ref().context("this cluster has no real node")
    }

    /// The chart with the operator as pods of its image, installed once on a real node.
    ///
    /// # Errors
    /// When it cannot be installed, or does not get ready.
    pub async fn installed(&self) -> Result<()> {
        let images = self.images()?;
        let install = || async {
            let image = format!("operator.image={}", images.operator);
            let registry = images.registry.address();
            let registries = format!("registries={}", json!({"plainHttp": [registry], "private": [registry]}));
            let quick = "operator.quietMilliseconds=500";
            // There is one node, and it is drained: a budget would wait for another to take the operator's second pod.
            let no_budget = "disruptionBudget.enabled=false";
            chart::install_with(
                self.cluster(),
                &[
                    "--set",
                    &image,
                    "--set",
                    quick,
                    "--set",
                    no_budget,
                    "--set-json",
                    &registries,
                    "--wait",
                    "--timeout=120s",
                ],
            )
            .await
        };
        self.world.chart.get_or_try_init(install).await.copied()
    }

    /// The real helm.
    ///
    /// # Errors
    /// When it was not prepared.
    pub fn helm(&self) -> Result<Helm> {
        Helm::new(self.cluster().tools())
    }

    /// Prints a line of the case's output: a figure that was measured.
    #[expect(clippy::print_stdout, reason = "figures are what some cases are for")]
    pub fn tell(&self, words: &str) {
        println!("note  {words}");
    }

    /// For a case that cannot be shown here: `return Err(context.skip("…"))`.
    #[must_use]
    pub fn skip(&self, reason: &str) -> anyhow::Error {
        Skipped(reason.to_owned()).into()
    }

    /// Skips the rest of the case on a cluster whose components are not ours to kill.
    ///
    /// # Errors
    /// When that is so.
    pub fn must_be_ours(&self) -> Result<()> {
        if self.cluster().is_ours() {
            Ok(())
        } else {
            Err(self.skip("kills components, and this cluster is not ours"))
        }
    }

    /// Asks for the deletion of the case's namespaces, and does not wait for it.
    pub(super) async fn clean_up(&self) {
        let namespaces = self
            .namespaces
            .lock()
            .map(|mut names| std::mem::take(&mut *names))
            .unwrap_or_default();
        let api: Api<Namespace> = Api::all(self.client());
        for name in namespaces {
            // The case may have deleted it itself, or killed the API server: neither changes what it showed.
            let _ = api.delete(&name, &DeleteParams::background()).await;
        }
    }
}
