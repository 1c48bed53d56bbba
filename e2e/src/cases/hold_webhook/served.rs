//! The cluster is upgraded: it serves mutating policies from then on, and nothing has to be done at once.

use super::{KIND, OURS, SECRET, await_held};
use crate::{
    attempt::{self, policies},
    await_::{Look, until},
    chart::{self, NAMESPACE},
    pods::{await_held as await_held_pods, await_running},
    stage::{AgentOf, Stage, one_approval},
    suite::Context,
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use vouchsafe_api::{
    Environment,
    approval::Vote,
    environment::status::{Enforced, InstalledPolicies, Probe},
};

pub(super) async fn from_now_on(cx: Context) -> Result<()> {
    let own = cx.elsewhere().await?;
    let stage = Stage::set(&own, one_approval()).await?;
    let (agent, waiting) = (AgentOf::new("refund"), AgentOf::new("next").with_prompt("Be next."));
    stage.run(&agent).await?;
    stage.apply(&waiting.objects()).await?;
    await_held_pods(&stage.pods(), &waiting.selector(), 1).await?;
    own.cluster().turn_mutations_on().await?;
    let took = await_held(&stage).await.context("nothing was done yet")?;
    own.tell(&format!(
        "an API server that serves mutating policies from now on holds by the webhook {:.1} s after it was ready",
        took.as_secs_f64()
    ));

    chart::install(own.cluster()).await?;
    is_gone(&own).await?;
    let before = own.operator().await?;
    before.stop().await?;
    await_held(&stage)
        .await
        .context("by the policies, with nobody to ask")?;
    let delete = ["delete", "pods", "-n", &stage.namespace, "-l", &agent.selector()];
    stage.editor.kubectl(delete).must().await?;
    await_running(&stage.pods(), &agent.selector(), agent.replicas).await?;

    let after = own.another_operator("operator-after").await?.without_webhook();
    after.start().await?;
    let environments: Api<Environment> = Api::all(own.client());
    let well = Enforced {
        policies: InstalledPolicies::Current,
        probe: Probe::Held,
        differing: Vec::new(),
    };
    until("the policies to be what the operator ships", || async {
        let status = environments.get(&stage.environment).await?.status.unwrap_or_default();
        Ok(Look::when(status.enforced, |enforced| enforced.as_ref() == Some(&well)))
    })
    .await?;
    let promotion = stage.promotion(&waiting.name).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    await_running(&stage.pods(), &waiting.selector(), 1).await.map(drop)
}

/// Webhook, Service, Secret and rights.
async fn is_gone(cx: &Context) -> Result<()> {
    let version = "admissionregistration.k8s.io/v1beta1";
    let mutating = attempt::api(cx.admin(), None, version, "MutatingAdmissionPolicy");
    mutating.get(OURS).await.context("the policy that holds is not there")?;
    let webhook = policies(cx.cluster(), KIND).get_opt(OURS).await?;
    ensure!(webhook.is_none(), "the webhook is still there");
    let secret = Api::<Secret>::namespaced(cx.client(), NAMESPACE)
        .get_opt(SECRET)
        .await?;
    ensure!(secret.is_none(), "its certificates are still there");
    Ok(())
}
