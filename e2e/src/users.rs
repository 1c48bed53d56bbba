//! People of the test: any name, any groups, no more rights than somebody gave them.

use crate::{
    await_::{Look, until},
    program::Run,
};
use anyhow::{Context, Result};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
    rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ObjectMeta, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    fmt::Debug,
    path::{Path, PathBuf},
};

/// Somebody who can talk to the API server, by client and by kubectl.
#[derive(Clone)]
pub struct User {
    /// The name that the API server sees.
    pub name: String,
    /// The groups that the API server sees, besides `system:authenticated`.
    pub groups: Vec<String>,
    /// Talks as this user.
    pub client: Client,
    /// Makes any program talk as this user.
    pub kubeconfig: PathBuf,
    pub(crate) environment: Environment,
}

/// Where a user's programs are, and what they may know of the machine.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) kubectl: PathBuf,
    pub(crate) search_path: OsString,
    pub(crate) home: PathBuf,
}

impl User {
    /// A namespaced API as this user.
    #[must_use]
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The real kubectl as this user, with `kubectl vouchsafe` when the product was built.
    #[must_use]
    pub fn kubectl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        self.run(&self.environment.kubectl).args(args)
    }

    /// `kubectl apply` of these objects into a namespace, as this user.
    #[must_use]
    pub fn apply(&self, namespace: &str, objects: &[Value]) -> Run {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.kubectl(["apply", "-n", namespace, "-f", "-"])
            .input(list.to_string())
    }

    /// Any program as this user.
    #[must_use]
    pub fn run(&self, program: &Path) -> Run {
        Run::new(program)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", &self.environment.search_path)
            .env("HOME", &self.environment.home)
    }

    /// This user as the subject of a binding.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "User".to_owned(),
            name: self.name.clone(),
            namespace: None,
        }
    }
}

/// Rights that an administrator gives; they are in force when they are given.
#[derive(Clone)]
pub struct Grants {
    admin: Client,
}

impl Grants {
    /// Gives in the name of this administrator.
    #[must_use]
    pub fn new(admin: Client) -> Self {
        Self { admin }
    }

    /// Binds an existing `ClusterRole`, such as `edit`, in one namespace.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn bind(&self, namespace: &str, cluster_role: &str, subject: Subject) -> Result<()> {
        let binding = RoleBinding {
            metadata: generated(cluster_role),
            role_ref: role_ref("ClusterRole", cluster_role),
            subjects: Some(vec![subject.clone()]),
        };
        create(&Api::namespaced(self.admin.clone(), namespace), &binding).await?;
        self.in_force(Some(namespace), &self.first(cluster_role).await?, &subject)
            .await
    }

    /// Binds an existing `ClusterRole` in every namespace.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn bind_everywhere(&self, cluster_role: &str, subject: Subject) -> Result<()> {
        let binding = ClusterRoleBinding {
            metadata: generated(cluster_role),
            role_ref: role_ref("ClusterRole", cluster_role),
            subjects: Some(vec![subject.clone()]),
        };
        create(&Api::all(self.admin.clone()), &binding).await?;
        self.in_force(None, &self.first(cluster_role).await?, &subject).await
    }

    /// Gives rules in one namespace, by a role made for it.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn allow(&self, namespace: &str, rules: Vec<PolicyRule>, subject: Subject) -> Result<()> {
        let role = Role {
            metadata: generated("test"),
            rules: Some(rules),
        };
        let role = create(&Api::<Role>::namespaced(self.admin.clone(), namespace), &role).await?;
        let binding = RoleBinding {
            metadata: generated("test"),
            role_ref: role_ref("Role", &role.name_any()),
            subjects: Some(vec![subject.clone()]),
        };
        create(&Api::namespaced(self.admin.clone(), namespace), &binding).await?;
        let first = role
            .rules
            .unwrap_or_default()
            .into_iter()
            .next()
            .context("a role without rules")?;
        self.in_force(Some(namespace), &first, &subject).await
    }

    /// Gives rules in every namespace and outside of them, by a role made for it.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn allow_everywhere(&self, rules: Vec<PolicyRule>, subject: Subject) -> Result<()> {
        let role = ClusterRole {
            metadata: generated("test"),
            rules: Some(rules),
            ..ClusterRole::default()
        };
        let role = create(&Api::<ClusterRole>::all(self.admin.clone()), &role).await?;
        self.bind_everywhere(&role.name_any(), subject).await
    }

    /// The first rule of a `ClusterRole`; one that is put together of others gets its rules in a moment.
    async fn first(&self, cluster_role: &str) -> Result<PolicyRule> {
        until(&format!("ClusterRole `{cluster_role}` to have a rule"), || async {
            let role = Api::<ClusterRole>::all(self.admin.clone()).get(cluster_role).await?;
            let rules = role.rules.unwrap_or_default();
            let first = rules.into_iter().find(|rule| rule.resources.is_some());
            Ok(first.map_or_else(|| Look::NotYet("it has none".to_owned()), Look::Seen))
        })
        .await
    }

    /// Waits until the API server's authorizer, which hears of roles and bindings a moment later, allows what a rule says.
    async fn in_force(&self, namespace: Option<&str>, rule: &PolicyRule, subject: &Subject) -> Result<()> {
        let review = review(namespace, rule, subject);
        let reviews = Api::<SubjectAccessReview>::all(self.admin.clone());
        until(&format!("{}'s rights to be in force", subject.name), || async {
            let status = reviews.create(&PostParams::default(), &review).await?.status;
            Ok(Look::when(status.unwrap_or_default(), |status| status.allowed))
        })
        .await
        .map(drop)
    }
}

/// May this subject do what the rule says first?
fn review(namespace: Option<&str>, rule: &PolicyRule, subject: &Subject) -> SubjectAccessReview {
    let first = |words: &Option<Vec<String>>| words.as_ref().and_then(|words| words.first()).cloned();
    let whole = first(&rule.resources).unwrap_or_default();
    let (resource, subresource) = match whole.split_once('/') {
        Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
        None => (whole, None),
    };
    let (user, groups) = match subject.kind.as_str() {
        "Group" => ("anybody".to_owned(), Some(vec![subject.name.clone()])),
        "ServiceAccount" => {
            let place = subject.namespace.as_deref().unwrap_or_default();
            (format!("system:serviceaccount:{place}:{}", subject.name), None)
        }
        _ => (subject.name.clone(), None),
    };
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user),
            groups,
            resource_attributes: Some(ResourceAttributes {
                group: first(&rule.api_groups),
                name: first(&rule.resource_names),
                namespace: namespace.map(str::to_owned),
                resource: Some(resource),
                subresource,
                verb: rule.verbs.first().cloned(),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

/// A rule, as short as it can be said.
#[must_use]
pub fn rule(group: &str, resources: &[&str], names: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        resource_names: Some(owned(names)).filter(|names| !names.is_empty()),
        verbs: owned(verbs),
        non_resource_urls: None,
    }
}

fn generated(prefix: &str) -> ObjectMeta {
    ObjectMeta {
        generate_name: Some(format!("{}-", prefix.replace(':', "-"))),
        ..ObjectMeta::default()
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

async fn create<K>(api: &Api<K>, object: &K) -> Result<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    api.create(&PostParams::default(), object)
        .await
        .with_context(|| format!("cannot create a {}", K::kind(&())))
}
