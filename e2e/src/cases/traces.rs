//! Traces of promotions: one promotion is one trace from its creation to its pods, also over a crash of the operator; and a collector that
//! is in trouble is nobody's trouble but its own.

mod story;
mod troubled;

use self::{story::Story, troubled::troubled};
use super::evidence::{attest, attestor, outcome};
use crate::{
    await_::{Look, until},
    collector::{Collector, Manner, Span},
    operator::Operator,
    pods::await_running,
    stage::{AgentOf, Stage, environment},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::{Value, json};
use std::time::Duration;
use vouchsafe_api::{
    Check,
    approval::Vote,
    promotion::status::{Outcome, Verdict},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "a promotion is one trace, from its creation over decisions and waits to its pods, also when the operator crashes meanwhile",
            whole,
        )
        .alone(),
        Case::new(
            &[],
            "a collector of traces that hangs, fails or lies delays no pod and costs no memory",
            troubled,
        )
        .alone()
        .patience(Duration::from_secs(900)),
    ]
}

/// An operator that sends to a collector, and does not run yet.
async fn traced(cx: &Context, name: &str, collector: &Collector) -> Result<Operator> {
    let operator = cx.another_operator(name).await?;
    Ok(operator
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .with("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20word")
        .with("OTEL_RESOURCE_ATTRIBUTES", "k8s.cluster.name=blue"))
}

async fn whole(cx: Context) -> Result<()> {
    let first = cx.operator().await?;
    let (identity, ca) = cx.cluster().server()?;
    let certificates = cx.cluster().work().path("collector.crt");
    std::fs::write(&certificates, ca).context("cannot write the collector's authority")?;
    let collector = Collector::start_with_tls(Manner::Takes, &identity).await?;
    let operator = traced(&cx, "operator-traced", &collector).await?;
    let operator = operator.with("OTEL_EXPORTER_OTLP_CERTIFICATE", &certificates.display().to_string());
    let said = first.log()?;
    ensure!(
        !said.contains(r#""event":"traces""#),
        "without an endpoint there are traces"
    );
    first.stop().await?;
    let result = promoted(&cx, &operator, &collector).await;
    drop(operator);
    first.start().await?;
    result
}

async fn check(cx: &Context, base: &str, spec: Value) -> Result<String> {
    let name = cx.name(base);
    let object =
        json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Check", "metadata": {"name": name}, "spec": spec});
    let object: Check = serde_json::from_value(object).context("the Check is none")?;
    let api = Api::<Check>::all(cx.client());
    api.create(&PostParams::default(), &object).await?;
    Ok(name)
}

/// A signed image, and the Checks that want its signature and a scan.
async fn image_and_checks(cx: &Context) -> Result<(String, String, String)> {
    let cosign = cx.cosign().await?;
    let keys = cosign.keys(&cx.name("keys")).await?;
    let image = cx.registry().await?.push(&cx.name("agent"), "traced").await?;
    cosign.sign(&keys, &image).await?;
    let authority = json!({"name": "ci", "key": keys.pem});
    let signed = json!({"signature": {"of": ["Image"], "authorities": [authority]}});
    let measured = json!({"evidence": {"subject": "Release", "policy": "counters.failed == 0"}});
    Ok((
        image,
        check(cx, "signed", signed).await?,
        check(cx, "scan", measured).await?,
    ))
}

/// Held; a registry is asked; a machine measures; the operator crashes; a person approves; it runs.
async fn promoted(cx: &Context, operator: &Operator, collector: &Collector) -> Result<()> {
    operator.start().await?;
    let (image, signed, scan) = image_and_checks(cx).await?;
    let spec = json!({
        "sensitivity": "High", "enforcement": "Hold", "requires": [{"check": signed}, {"check": scan}],
        "unknownAuthor": "Accept", "approvals": [{"role": "security"}],
    });
    let environment = environment(cx, "prod", spec).await?;
    let stage = Stage::in_environment(cx, &environment).await?;
    let agent = AgentOf {
        image,
        ..AgentOf::new("traced")
    };
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?;
    stage.held(&agent.selector(), 1).await?;
    outcome(&stage, &promotion.name_any(), &signed, Outcome::Pass).await?;
    let scanner = attestor(cx, &stage.namespace, &scan).await?;
    let release = promotion.spec.release.to_string();
    attest(&scanner, &stage.namespace, &scan, &release, 0).await?;
    stage.verdict(&promotion.name_any(), Verdict::AwaitingApproval).await?;
    let trace = promotion.uid().unwrap_or_default().replace('-', "");
    until("the decision to be told", || async {
        let spans = of(collector, &trace)?;
        let told = spans.iter().map(label).collect::<Vec<_>>();
        Ok(Look::when(told, |told| {
            told.contains(&"decide AwaitingApproval".to_owned())
        }))
    })
    .await?;
    operator.restart().await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    let pods = await_running(&stage.pods(), &agent.selector(), 1).await?;
    let promotion = stage.verdict(&promotion.name_any(), Verdict::Cleared).await?;
    operator.stop().await?;
    let story = Story {
        promotion,
        pod: pods.first().context("no pod runs")?.name_any(),
        signed,
        scan,
        spans: of(collector, &trace)?,
    };
    story.is_told()?;
    story.is_logged(&operator.log()?)?;
    let authorization = collector.authorization()?;
    ensure!(
        authorization.iter().all(|said| said == "Bearer word"),
        "{authorization:?}"
    );
    cx.tell(&format!(
        "one promotion: {} spans in {} requests",
        story.spans.len(),
        collector.requests()?
    ));
    Ok(())
}

/// The spans of one trace.
fn of(collector: &Collector, trace: &str) -> Result<Vec<Span>> {
    let mut spans = collector.spans()?;
    spans.retain(|span| span.trace == trace);
    Ok(spans)
}

/// A span's name; of a decision, what was decided too.
fn label(span: &Span) -> String {
    match span.name.as_str() {
        "decide" => format!("decide {}", span.says("vouchsafe.verdict")),
        name => name.to_owned(),
    }
}
