//! The example's own policies over three environments: watched in dev; signed and scanned in staging; soaked, and approved by two, in prod.

use crate::{
    await_::{Look, until},
    pods::await_running,
    program::Run,
    registry::digest,
    stage::{Stage, environment},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{
    Api, ResourceExt,
    api::{ObjectMeta, PostParams},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vouchsafe_api::{
    Check, Evidence, Promotion,
    approval::Vote,
    promotion::status::{Outcome, Verdict},
};

const SELECTOR: &str = "app.kubernetes.io/instance=refunds";
const AGENT: &str = "refund-triage";
/// Instead of the example's day.
const SOAK: &str = "3s";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "three environments by the example's policies, signatures found by the referrers API",
            by_referrers,
        ),
        Case::new(
            &[],
            "three environments by the example's policies, signatures found by the fallback tag",
            by_fallback_tag,
        ),
    ]
}

async fn by_referrers(cx: Context) -> Result<()> {
    let repository = cx.name("refund-triage");
    let image = cx.registry().await?.push(&repository, "three").await?;
    story(&cx, &image).await
}

async fn by_fallback_tag(cx: Context) -> Result<()> {
    let repository = cx.name("refund-triage");
    let image = cx
        .registry_without_referrers()
        .await?
        .push(&repository, "three")
        .await?;
    story(&cx, &image).await
}

/// The example's objects of a kind, by name.
fn example(file: &str, kind: &str) -> Result<BTreeMap<String, Value>> {
    let path = crate::checkout().join("examples/refund-triage/policies").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut found = BTreeMap::new();
    for document in text.split("\n---\n") {
        let value: Value = serde_saphyr::from_str(document).with_context(|| format!("`{file}` is no YAML"))?;
        if value.get("kind").and_then(Value::as_str) == Some(kind) {
            let name = value.pointer("/metadata/name").and_then(Value::as_str);
            found.insert(name.unwrap_or_default().to_owned(), value);
        }
    }
    ensure!(!found.is_empty(), "`{file}` has no {kind}");
    Ok(found)
}

/// The pipeline: a service account that attests.
struct Pipeline {
    namespace: String,
    account: User,
}

impl Pipeline {
    async fn new(cx: &Context) -> Result<Self> {
        let namespace = cx.namespace("ci").await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(cx.client(), &namespace);
        let account = ServiceAccount {
            metadata: ObjectMeta {
                name: Some("ci".to_owned()),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        accounts.create(&PostParams::default(), &account).await?;
        let request = TokenRequest {
            spec: TokenRequestSpec::default(),
            ..TokenRequest::default()
        };
        let token = accounts
            .create_token_request("ci", &PostParams::default(), &request)
            .await?;
        let token = token.status.context("no token")?.token;
        let account = cx.cluster().bearer("ci", &token).await?;
        Ok(Self { namespace, account })
    }

    /// May attest in a namespace.
    async fn may_attest(&self, cx: &Context, namespace: &str, checks: &[&str]) -> Result<()> {
        let subject = k8s_openapi::api::rbac::v1::Subject {
            kind: "ServiceAccount".to_owned(),
            name: "ci".to_owned(),
            namespace: Some(self.namespace.clone()),
            api_group: None,
        };
        let rules = vec![
            rule("vouchsafe.dev", &["evidence"], &[], &["create"]),
            rule("vouchsafe.dev", &["checks"], checks, &["attest"]),
        ];
        cx.cluster().grants().allow(namespace, rules, subject).await
    }

    /// Says what a scan found.
    async fn attest(&self, namespace: &str, check: &str, subject: Value, counters: Value) -> Result<()> {
        let format = if counters.get("critical").is_some() {
            "Trivy"
        } else {
            "Sarif"
        };
        let evidence = json!({"metadata": {"generateName": "scan-"}, "spec": {
            "subject": subject, "check": check, "format": format,
            "tool": {"name": format.to_lowercase(), "version": "1.0", "databaseTime": Timestamp::now()},
            "startedAt": Timestamp::now(), "finishedAt": Timestamp::now(),
            "result": "Pass", "counters": counters,
            "report": {"digest": digest(check.as_bytes())}}});
        let evidence: Evidence = serde_json::from_value(evidence).context("no Evidence")?;
        let api = self.account.api::<Evidence>(namespace);
        api.create(&PostParams::default(), &evidence)
            .await
            .context("the evidence was refused")?;
        Ok(())
    }
}

/// Creates the example's Checks under names of the case's own: with its key, and its pipeline. Gives the names.
async fn checks(cx: &Context, key: &str, pipeline: &str) -> Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for (name, mut check) in example("checks.yaml", "Check")? {
        let own = cx.name(&name);
        set(&mut check, "/metadata/name", json!(own));
        set(&mut check, "/spec/signature/authorities/0/key", json!(key));
        set(&mut check, "/spec/evidence/producers/0/namespace", json!(pipeline));
        let check: Check = serde_json::from_value(check).context("no Check")?;
        Api::all(cx.client()).create(&PostParams::default(), &check).await?;
        names.insert(name, own);
    }
    Ok(names)
}

/// Creates one of the example's Environments, with a short soak.
async fn place(cx: &Context, name: &str, checks: &BTreeMap<String, String>, before: Option<&str>) -> Result<String> {
    let all = example("environments.yaml", "Environment")?;
    let mut spec = all
        .get(name)
        .and_then(|of| of.get("spec"))
        .cloned()
        .context("no such environment")?;
    let requires = spec.get_mut("requires").and_then(Value::as_array_mut);
    for required in requires.into_iter().flatten() {
        let check = required.get("check").and_then(Value::as_str).unwrap_or_default();
        let own = checks
            .get(check)
            .with_context(|| format!("there is no Check `{check}`"))?;
        set(required, "/check", json!(own));
    }
    if let Some(before) = before {
        set(&mut spec, "/after", json!([{"environment": before, "soak": SOAK}]));
    }
    environment(cx, name, spec).await
}

fn set(value: &mut Value, pointer: &str, to: Value) {
    match value.pointer_mut(pointer) {
        Some(place) => *place = to,
        None => debug_assert!(pointer.starts_with("/spec"), "nothing at {pointer}"),
    }
}

async fn story(cx: &Context, image: &str) -> Result<()> {
    cx.operator().await?;
    let keys = cx.cosign().await?.keys(&cx.name("keys")).await?;
    let pipeline = Pipeline::new(cx).await?;
    let names = checks(cx, &keys.pem, &pipeline.namespace).await?;
    let dev = Stage::in_environment(cx, &place(cx, "dev", &names, None).await?).await?;
    let staging = Stage::in_environment(cx, &place(cx, "staging", &names, None).await?).await?;
    let prod = Stage::in_environment(cx, &place(cx, "prod", &names, Some(&staging.environment)).await?).await?;
    let scanned = names.get("image-scanned").context("no such check")?;
    let behaviour = names.get("behaviour-scanned").context("no such check")?;
    for stage in [&staging, &prod] {
        pipeline.may_attest(cx, &stage.namespace, &[scanned, behaviour]).await?;
    }

    helm(&dev, "install", image)?.must().await?;
    await_running(&dev.pods(), SELECTOR, 2).await?;
    helm(&staging, "install", image)?.must().await?;
    ask(&prod, image).await?;
    helm(&prod, "install", image)?.must().await?;
    for stage in [&staging, &prod] {
        stage.held(SELECTOR, 2).await?;
    }
    let waiting = staging.promotion(AGENT).await?;
    check_is(&staging, &waiting, "image-signed", Outcome::Pending).await?;

    cx.cosign().await?.sign(&keys, image).await?;
    check_is(&staging, &waiting, "image-signed", Outcome::Pass).await?;
    staging.nothing_ran(SELECTOR).await?;
    let of_image = json!({"kind": "Image", "digest": image.rsplit('@').next()});
    let counters = json!({"critical": 0, "high": 0, "high_fixable": 0, "medium": 0, "low": 0});
    pipeline.attest(&staging.namespace, scanned, of_image, counters).await?;
    await_running(&staging.pods(), SELECTOR, 2).await?;
    let cleared = staging.verdict(&waiting.name_any(), Verdict::Cleared).await?;

    in_prod(&prod, &pipeline, behaviour, &cleared).await
}

/// The image's scan counts here, too: it is about the image, and of the same tenant. The release wants its own, time, and two people.
async fn in_prod(prod: &Stage, pipeline: &Pipeline, behaviour: &str, staging: &Promotion) -> Result<()> {
    let promotion = prod.promotion(AGENT).await?;
    ensure!(
        promotion.spec.release == staging.spec.release,
        "two environments see two releases"
    );
    let release = json!({"kind": "Release", "digest": promotion.spec.release.to_string()});
    pipeline
        .attest(
            &prod.namespace,
            behaviour,
            release,
            json!({"error": 0, "warning": 0, "note": 0}),
        )
        .await?;
    for check in [
        "image-signed",
        "image-scanned",
        "behaviour-scanned",
        "no-unapproved-writes",
        "confidential-data-encrypted",
    ] {
        check_is(prod, &promotion, check, Outcome::Pass).await?;
    }
    until("the soak in staging", || async {
        let status = prod
            .api::<Promotion>()
            .get(&promotion.name_any())
            .await?
            .status
            .unwrap_or_default();
        Ok(Look::when(status.after, |after| {
            after.first().is_some_and(|of| of.satisfied)
        }))
    })
    .await?;
    prod.verdict(&promotion.name_any(), Verdict::AwaitingApproval).await?;
    prod.vote(&prod.security, &promotion, "security", Vote::Approve).await?;
    until("one of two approvals", || async {
        let status = prod
            .api::<Promotion>()
            .get(&promotion.name_any())
            .await?
            .status
            .unwrap_or_default();
        let have: Vec<_> = status.approvals.iter().map(|of| (of.role.clone(), of.have)).collect();
        Ok(Look::when(have, |have| {
            have.contains(&("security".to_owned(), 1)) && have.contains(&("product".to_owned(), 0))
        }))
    })
    .await?;
    prod.nothing_ran(SELECTOR).await?;
    prod.vote(&prod.product, &promotion, "product", Vote::Approve).await?;
    await_running(&prod.pods(), SELECTOR, 2).await?;
    prod.verdict(&promotion.name_any(), Verdict::Cleared).await.map(drop)
}

/// Awaits an outcome of the check whose name ends like this.
async fn check_is(stage: &Stage, promotion: &Promotion, check: &str, outcome: Outcome) -> Result<()> {
    until(&format!("check {check} to be {outcome}"), || async {
        let status = stage
            .api::<Promotion>()
            .get(&promotion.name_any())
            .await?
            .status
            .unwrap_or_default();
        Ok(Look::when(status.checks, |checks| {
            checks
                .iter()
                .any(|one| one.check.contains(check) && one.outcome == outcome)
        }))
    })
    .await
    .map(drop)
}

/// Asks ahead, as a person: then the author is known, and two approvals are enough.
async fn ask(stage: &Stage, image: &str) -> Result<()> {
    let promote = rule("vouchsafe.dev", &["environments"], &[&stage.environment], &["promote"]);
    let grants = stage.cx.cluster().grants();
    grants
        .allow(&stage.namespace, vec![promote], stage.editor.subject())
        .await?;
    let rendered = helm(stage, "template", image)?.must().await?;
    let promote = ["vouchsafe", "promote", "-f", "-", "-n", stage.namespace.as_str()];
    stage.editor.kubectl(promote).input(rendered).must().await.map(drop)
}

/// The example's chart, with an image that is there.
fn helm(stage: &Stage, verb: &str, image: &str) -> Result<Run> {
    let chart = crate::checkout().join("examples/refund-triage/chart");
    let chart = chart.display().to_string();
    let image = format!("image={image}");
    let args = [verb, "refunds", &chart, "-n", &stage.namespace, "--set", &image];
    Ok(stage.cx.helm()?.run(&stage.editor, args))
}
