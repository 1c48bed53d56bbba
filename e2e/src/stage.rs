//! A stage for cases: an environment of its own, a governed namespace in it, an editor who attacks or deploys, and approvers.
//!
//! Takes an Environment's spec; gives agents to apply, and what became of them. Everything has the case's own names.

mod agent;

pub use agent::AgentOf;

use crate::{
    await_::{Look, until},
    pods,
    registry::digest,
    suite::Context,
    users::{User, rule},
};
use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{ListParams, ObjectMeta, PostParams},
};
use serde_json::{Value, json};
use vouchsafe_api::{
    Agent, Approval, Clearance, Environment, Promotion,
    approval::{ApprovalSpec, Scope, Vote},
    promotion::status::Verdict,
};

/// An environment, a namespace in it and its people.
pub struct Stage {
    /// The case.
    pub cx: Context,
    /// The environment's name.
    pub environment: String,
    /// The namespace.
    pub namespace: String,
    /// Somebody with `edit` there.
    pub editor: User,
    /// Somebody who may approve as `security`.
    pub security: User,
    /// Somebody else who may approve as `product`.
    pub product: User,
}

/// What an environment asks for when all that matters is that somebody has to approve.
#[must_use]
pub fn one_approval() -> Value {
    json!({
        "sensitivity": "High", "enforcement": "Hold", "requires": [], "unknownAuthor": "Accept",
        "approvals": [{"role": "security", "count": 1}],
    })
}

/// An image by digest that nothing pulls; other words make another image.
#[must_use]
pub fn image(words: &str) -> String {
    format!("registry.example/agent@{}", digest(words.as_bytes()))
}

impl Stage {
    /// Sets the stage, with the product installed and running.
    ///
    /// # Errors
    /// When something cannot be created.
    pub async fn set(cx: &Context, spec: Value) -> Result<Self> {
        cx.operator().await?;
        let environment = environment(cx, "prod", spec).await?;
        Self::in_environment(cx, &environment).await
    }

    /// The same on a real node, where the operator is installed as pods.
    ///
    /// # Errors
    /// When something cannot be created.
    pub async fn on_node(cx: &Context, spec: Value) -> Result<Self> {
        cx.installed().await?;
        let environment = environment(cx, "prod", spec).await?;
        Self::in_environment(cx, &environment).await
    }

    /// Another namespace, with people of its own, in an environment that is there.
    ///
    /// # Errors
    /// When something cannot be created.
    pub async fn in_environment(cx: &Context, environment: &str) -> Result<Self> {
        let namespace = cx.governed_namespace("ns", environment).await?;
        let editor = cx.editor(&namespace).await?;
        Ok(Self {
            cx: cx.clone(),
            environment: environment.to_owned(),
            security: approver(cx, &namespace, environment, "security").await?,
            product: approver(cx, &namespace, environment, "product").await?,
            namespace,
            editor,
        })
    }

    /// The pods of the namespace.
    #[must_use]
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cx.client(), &self.namespace)
    }

    /// Objects of a kind in the namespace, as admin.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.cx.client(), &self.namespace)
    }

    /// Applies as the editor.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn apply(&self, objects: &[Value]) -> Result<()> {
        self.editor.apply(&self.namespace, objects).must().await.map(drop)
    }

    /// Awaits the Promotion of what the agent is now, once the operator has looked at its present form.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub async fn promotion(&self, agent: &str) -> Result<Promotion> {
        until(&format!("the Promotion of agent {agent}"), || async {
            let found = self.api::<Agent>().get(agent).await?;
            let status = found.status.unwrap_or_default();
            let promotion = match &status.promotion {
                Some(name) => self.api::<Promotion>().get_opt(name).await?,
                None => None,
            };
            let judged =
                promotion.filter(|promotion| promotion.status.as_ref().is_some_and(|status| status.verdict.is_some()));
            Ok(judged.map_or_else(|| Look::NotYet(format!("{status:?}")), Look::Seen))
        })
        .await
    }

    /// Awaits a Promotion that is another one than `before`: the agent has changed.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub async fn promotion_after(&self, agent: &str, before: &str) -> Result<Promotion> {
        until(&format!("another Promotion of agent {agent} than {before}"), || async {
            let promotion = self.promotion(agent).await?;
            Ok(Look::when(promotion, |promotion| promotion.name_any() != before))
        })
        .await
    }

    /// Approves a Promotion as somebody, in a role.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn vote(&self, who: &User, promotion: &Promotion, role: &str, decision: Vote) -> Result<Approval> {
        let approval = self.approval(promotion, role, decision);
        let api = who.api::<Approval>(&self.namespace);
        api.create(&PostParams::default(), &approval)
            .await
            .context("the vote was refused")
    }

    /// An Approval as a person would write it.
    #[must_use]
    pub fn approval(&self, promotion: &Promotion, role: &str, decision: Vote) -> Approval {
        Approval {
            metadata: ObjectMeta {
                generate_name: Some("vote-".to_owned()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: ApprovalSpec {
                promotion: promotion.name_any(),
                release: promotion.spec.release,
                environment: promotion.spec.environment.clone(),
                role: role.to_owned(),
                scope: Scope::Namespace,
                decision,
                waiver: None,
                reason: Some("looked at it".to_owned()),
                by: None,
            },
        }
    }

    /// Awaits a verdict.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub async fn verdict(&self, promotion: &str, verdict: Verdict) -> Result<Promotion> {
        until(&format!("verdict {verdict} on {promotion}"), || async {
            let found = self.api::<Promotion>().get(promotion).await?;
            let is = found.status.as_ref().and_then(|status| status.verdict);
            Ok(if is == Some(verdict) {
                Look::Seen(found)
            } else {
                Look::NotYet(format!("{:?}", found.status))
            })
        })
        .await
    }

    /// Applies an agent, has it approved by `security`, and awaits that all its pods run.
    ///
    /// # Errors
    /// When any of that fails.
    pub async fn run(&self, agent: &AgentOf) -> Result<Promotion> {
        self.apply(&agent.objects()).await?;
        let promotion = self.promotion(&agent.name).await?;
        self.vote(&self.security, &promotion, "security", Vote::Approve).await?;
        let promotion = self.verdict(&promotion.name_any(), Verdict::Cleared).await?;
        pods::await_running(&self.pods(), &agent.selector(), agent.replicas).await?;
        Ok(promotion)
    }

    /// The ledger, when it is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn ledger(&self) -> Result<Option<Clearance>> {
        Ok(self.api::<Clearance>().get_opt("clearance").await?)
    }

    /// Awaits that a pod with these labels is there, held or not; what proves that the gate was asked.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub async fn held(&self, selector: &str, count: usize) -> Result<()> {
        pods::await_held(&self.pods(), selector, count).await.map(drop)
    }

    /// Whether the API server holds and stamps by itself; otherwise it asks an operator.
    #[must_use]
    pub fn holds_alone(&self) -> bool {
        self.cx.cluster().tools().kubernetes().serves_mutations()
    }

    /// The same while no operator can be asked: where a webhook would hold them, such pods are refused.
    ///
    /// # Errors
    /// When the deadline has passed, or one has run.
    pub async fn kept_out(&self, selector: &str, count: usize) -> Result<()> {
        if self.holds_alone() {
            self.held(selector, count).await
        } else {
            self.nothing_ran(selector).await
        }
    }

    /// Fails when any pod with these labels has run.
    ///
    /// # Errors
    /// When one has.
    pub async fn nothing_ran(&self, selector: &str) -> Result<()> {
        pods::none_has_run(&self.pods(), selector).await
    }

    /// The names of the running pods with these labels.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn running(&self, selector: &str) -> Result<Vec<String>> {
        let found = self.pods().list(&ListParams::default().labels(selector)).await?;
        let runs = |pod: &&Pod| pods::has_run(pod) && pod.metadata.deletion_timestamp.is_none();
        Ok(found.items.iter().filter(runs).map(ResourceExt::name_any).collect())
    }
}

/// An Environment of the case's own; its name.
///
/// # Errors
/// When it is refused.
pub async fn environment(cx: &Context, base: &str, spec: Value) -> Result<String> {
    let name = cx.name(base);
    let object = json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name}, "spec": spec});
    let environment: Environment = serde_json::from_value(object).context("the Environment is not one")?;
    let api: Api<Environment> = Api::all(cx.client());
    api.create(&PostParams::default(), &environment)
        .await
        .context("the Environment was refused")?;
    Ok(name)
}

/// Somebody who may approve in one role, in one namespace, and sees what they approve.
///
/// # Errors
/// When the rights cannot be given.
pub async fn approver(cx: &Context, namespace: &str, environment: &str, role: &str) -> Result<User> {
    let user = cx.user(role).await?;
    let rules = vec![
        rule(
            "vouchsafe.dev",
            &[&format!("environments/{role}")],
            &[environment],
            &["approve"],
        ),
        rule("vouchsafe.dev", &["approvals"], &[], &["create"]),
        rule(
            "vouchsafe.dev",
            &["promotions", "agents", "approvals", "evidence", "waivers"],
            &[],
            &["get", "list"],
        ),
    ];
    cx.cluster().grants().allow(namespace, rules, user.subject()).await?;
    Ok(user)
}
