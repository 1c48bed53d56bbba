//! The cluster, as the user who runs the verb: kubeconfig, context, namespace, and that user's rights alone.
//!
//! Takes what is to be read or created; gives typed objects, or an error that says which right or object is missing. Writes nothing but
//! the objects that it is given to create.

mod error;

pub(crate) use self::error::{ClusterError, permitted};

use clap::Args;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        authentication::v1::SelfSubjectReview,
        authorization::v1::{
            ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
            SelfSubjectRulesReview, SelfSubjectRulesReviewSpec,
        },
        core::v1::Namespace,
    },
};
use kube::{
    Api, Client, Config, Resource, ResourceExt as _,
    api::{ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, path::PathBuf, time::Duration};

/// The label by which a namespace joins an environment.
pub(crate) const ENVIRONMENT: &str = "vouchsafe.dev/environment";
/// Objects a page.
const PAGE: u32 = 500;
/// Objects that one listing reads.
const MAX_LISTED: usize = 20_000;
/// How long connecting and one answer may take.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);

/// Which cluster and namespace.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ClusterArgs {
    /// The namespace; the one of the context when left out.
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// The context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The kubeconfig.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

/// A cluster and the namespace to work in.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: Client,
    /// The namespace.
    pub(crate) namespace: String,
}

/// An object of a namespace that can be read or created.
pub(crate) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned
{
}

impl Cluster {
    /// Reads the kubeconfig; nothing is asked of the cluster yet.
    pub(crate) async fn open(args: &ClusterArgs) -> Result<Self, ClusterError> {
        let mut config = config(args).await?;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        let namespace = args
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| ClusterError::Client(Box::new(error)))?;
        Ok(Self { client, namespace })
    }

    fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// An object by name; none when it is not there.
    pub(crate) async fn find<K: Kind>(&self, name: &str) -> Result<Option<K>, ClusterError> {
        let found = self.api::<K>().get_opt(name).await;
        found.map_err(|error| ClusterError::of::<K>("get", name, &self.namespace, error))
    }

    /// An object by name, which has to be there.
    pub(crate) async fn get<K: Kind>(&self, name: &str) -> Result<K, ClusterError> {
        self.find(name).await?.ok_or_else(|| ClusterError::NotFound {
            object: format!("{} `{name}`", K::kind(&())),
            namespace: self.namespace.clone(),
        })
    }

    /// An object of the whole cluster by name; none when it is not there.
    pub(crate) async fn find_global<K>(&self, name: &str) -> Result<Option<K>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let found = Api::<K>::all(self.client.clone()).get_opt(name).await;
        found.map_err(|error| ClusterError::of::<K>("get", name, "", error))
    }

    /// All objects of a kind that belongs to no namespace, by name.
    pub(crate) async fn list_global<K>(&self) -> Result<Vec<K>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let listed = Api::<K>::all(self.client.clone()).list(&ListParams::default()).await;
        let mut all = listed
            .map_err(|error| ClusterError::of::<K>("list", "", "", error))?
            .items;
        all.sort_by_key(kube::ResourceExt::name_any);
        Ok(all)
    }

    /// The selected objects of the namespace, or of all namespaces, in order of namespace and name.
    pub(crate) async fn list<K: Kind>(&self, everywhere: bool, select: &Select) -> Result<Vec<K>, ClusterError> {
        let api = if everywhere {
            Api::all(self.client.clone())
        } else {
            self.api::<K>()
        };
        let place = if everywhere { "" } else { &self.namespace };
        let mut params = ListParams::default().limit(PAGE);
        params.field_selector.clone_from(&select.fields);
        params.label_selector.clone_from(&select.labels);
        let mut all = Vec::new();
        loop {
            let page = api
                .list(&params)
                .await
                .map_err(|error| ClusterError::of::<K>("list", "", place, error))?;
            all.extend(page.items);
            if all.len() > MAX_LISTED {
                return Err(ClusterError::TooMany(K::plural(&()).into_owned()));
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break,
            }
        }
        all.sort_by_key(|object: &K| (object.namespace(), object.name_any()));
        Ok(all)
    }

    /// Creates an object. With `dry_run` everything is judged and nothing stored.
    pub(crate) async fn create<K: Kind>(&self, object: &K, dry_run: bool) -> Result<K, ClusterError> {
        let params = PostParams {
            dry_run,
            field_manager: Some("kubectl-vouchsafe".to_owned()),
        };
        let created = self.api::<K>().create(&params, object).await;
        let name = object.meta().name.clone().unwrap_or_default();
        created.map_err(|error| ClusterError::of::<K>("create", &name, &self.namespace, error))
    }

    /// The environment of the namespace, by its label.
    pub(crate) async fn environment(&self) -> Result<String, ClusterError> {
        let namespace = self.find_global::<Namespace>(&self.namespace).await?;
        let Some(namespace) = namespace else {
            return Err(ClusterError::NoNamespace(self.namespace.clone()));
        };
        let label = namespace.labels().get(ENVIRONMENT).filter(|name| !name.is_empty());
        label
            .cloned()
            .ok_or_else(|| ClusterError::Ungoverned(self.namespace.clone()))
    }

    /// Who the API server takes us for.
    pub(crate) async fn whoami(&self) -> Result<String, ClusterError> {
        let api = Api::<SelfSubjectReview>::all(self.client.clone());
        let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await;
        let review = review.map_err(|error| ClusterError::of::<SelfSubjectReview>("create", "", "", error))?;
        let user = review.status.and_then(|status| status.user_info);
        Ok(user.and_then(|user| user.username).unwrap_or_default())
    }

    /// What we may do in a namespace, as far as the API server lists it.
    pub(crate) async fn rules(&self, namespace: &str) -> Result<Vec<ResourceRule>, ClusterError> {
        let review = SelfSubjectRulesReview {
            spec: SelfSubjectRulesReviewSpec {
                namespace: Some(namespace.to_owned()),
            },
            ..SelfSubjectRulesReview::default()
        };
        let api = Api::<SelfSubjectRulesReview>::all(self.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| ClusterError::of::<SelfSubjectRulesReview>("create", "", "", error))?;
        Ok(answer.status.map(|status| status.resource_rules).unwrap_or_default())
    }

    /// Whether we may use one of our own verbs on an environment or check.
    pub(crate) async fn may(&self, right: &Right<'_>) -> Result<bool, ClusterError> {
        let attributes = ResourceAttributes {
            group: Some(vouchsafe_api::GROUP.to_owned()),
            verb: Some(right.verb.to_owned()),
            resource: Some(right.resource.to_owned()),
            subresource: right.subresource.map(str::to_owned),
            name: Some(right.name.to_owned()),
            namespace: Some(right.namespace.to_owned()),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api = Api::<SelfSubjectAccessReview>::all(self.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| ClusterError::of::<SelfSubjectAccessReview>("create", "", "", error))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

/// Which objects of a kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Select {
    fields: Option<String>,
    labels: Option<String>,
}

impl Select {
    /// Those whose field has this value.
    pub(crate) fn field(name: &str, value: &str) -> Self {
        Self {
            fields: Some(format!("{name}={value}")),
            labels: None,
        }
    }

    /// Those that have a label.
    pub(crate) fn label(name: &str) -> Self {
        Self {
            fields: None,
            labels: Some(name.to_owned()),
        }
    }
}

/// A right of our own, as RBAC knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right<'a> {
    /// As `approve`.
    pub(crate) verb: &'a str,
    /// As `environments`.
    pub(crate) resource: &'a str,
    /// As a role's name.
    pub(crate) subresource: Option<&'a str>,
    /// The environment's or check's name.
    pub(crate) name: &'a str,
    /// Where.
    pub(crate) namespace: &'a str,
}

async fn config(args: &ClusterArgs) -> Result<Config, ClusterError> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    let kubeconfig = match &args.kubeconfig {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    };
    match kubeconfig {
        Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(ClusterError::Kubeconfig),
        Err(error) if args.kubeconfig.is_some() || args.context.is_some() => Err(ClusterError::Kubeconfig(error)),
        Err(error) => Config::incluster().map_err(|_| ClusterError::Kubeconfig(error)),
    }
}
