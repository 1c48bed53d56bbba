//! `vouchsafe check` without a cluster says of every check what the operator says with one, from the same objects.

use super::evidence::attestor;
use crate::{
    await_::{Look, until},
    operator::built_program,
    program::Run,
    stage::{AgentOf, Stage, environment},
    suite::{Case, Context},
    users::User,
};
use anyhow::{Context as _, Result, bail, ensure};
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::{Value, json};
use std::{fs, path::Path};
use vouchsafe_api::{Check, Evidence, Promotion};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &[],
        "the offline check and the operator say the same of the same objects",
        same_words,
    )]
}

/// What of an outcome has to be the same.
const FIELDS: [&str; 6] = ["check", "outcome", "reason", "message", "missing", "evidence"];

/// An environment that asks for a bit of everything, and the names of its checks: on the release, on the image, and two rules.
async fn stage(cx: &Context) -> Result<(Stage, Vec<String>)> {
    cx.operator().await?;
    let specs = [
        (
            "behaviour",
            json!({"evidence": {"subject": "Release", "policy": "counters.failed == 0"}}),
        ),
        (
            "scan",
            json!({"evidence": {"subject": "Image", "policy": "counters.critical <= params.critical"},
            "parameters": [{"name": "critical", "type": "Number"}]}),
        ),
        ("holds", json!({"surface": {"policy": "surface.prompts.size() == 1"}})),
        (
            "does-not",
            json!({"surface": {"policy": "surface.tools.size() > 3", "message": "it has too few tools"}}),
        ),
    ];
    let (mut checks, mut requires) = (Vec::new(), Vec::new());
    for (base, spec) in specs {
        let name = cx.name(base);
        let object =
            json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Check", "metadata": {"name": name}, "spec": spec});
        let check: Check = serde_json::from_value(object).context("the Check is none")?;
        Api::<Check>::all(cx.client())
            .create(&PostParams::default(), &check)
            .await?;
        requires.push(match base {
            "scan" => json!({"check": name, "parameters": {"critical": "1"}, "maxAge": "1h"}),
            _ => json!({"check": name}),
        });
        checks.push(name);
    }
    let spec = json!({"sensitivity": "High", "enforcement": "Hold", "requires": requires, "unknownAuthor": "Accept"});
    let environment = environment(cx, "prod", spec).await?;
    Ok((Stage::in_environment(cx, &environment).await?, checks))
}

async fn same_words(cx: Context) -> Result<()> {
    let (stage, checks) = stage(&cx).await?;
    let [behaviour, scan, ..] = checks.as_slice() else {
        bail!("there are four checks")
    };
    let (pipeline, scanner) = (
        attestor(&cx, &stage.namespace, behaviour).await?,
        attestor(&cx, &stage.namespace, scan).await?,
    );
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?;
    agree(&stage, &agent, &promotion, 0).await?;
    let release = promotion.spec.release.to_string();
    let image = agent.image.split_once('@').context("no digest")?.1;
    for (count, (producer, subject, started, counters)) in given(&release, image).into_iter().enumerate() {
        let (who, check) = match producer {
            Producer::Pipeline => (&pipeline, behaviour),
            Producer::Scanner => (&scanner, scan),
        };
        let spec = json!({
            "subject": subject, "check": check, "format": "Normal", "tool": {"name": "tester"}, "startedAt": started, "result": "Pass",
            "counters": counters,
        });
        give(who, &stage.namespace, spec).await?;
        agree(&stage, &agent, &promotion, count + 1).await?;
    }
    Ok(())
}

/// Who gives a result: the pipeline of the release's behaviour, or the scanner of its image.
enum Producer {
    Pipeline,
    Scanner,
}

/// Bad, stale, good; then good and worse at one instant, of which the worse counts whatever their names are.
fn given(release: &str, image: &str) -> [(Producer, Value, jiff::Timestamp, Value); 5] {
    let now = jiff::Timestamp::now();
    let old = now - jiff::SignedDuration::from_hours(2);
    let release = json!({"kind": "Release", "digest": release});
    let image = json!({"kind": "Image", "digest": image});
    [
        (Producer::Pipeline, release, now, json!({"failed": 2})),
        (Producer::Scanner, image.clone(), old, json!({"critical": 0})),
        (Producer::Scanner, image.clone(), now, json!({"critical": 1})),
        (Producer::Scanner, image.clone(), now, json!({"critical": 2})),
        (Producer::Scanner, image, now, json!({"critical": 0})),
    ]
}

async fn give(who: &User, namespace: &str, spec: Value) -> Result<()> {
    let object = json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Evidence", "metadata": {"generateName": "e-"}, "spec": spec});
    let evidence: Evidence = serde_json::from_value(object).context("the Evidence is none")?;
    who.api::<Evidence>(namespace)
        .create(&PostParams::default(), &evidence)
        .await?;
    Ok(())
}

/// Awaits that the operator says what the offline check says of what is stored, when so much evidence is.
async fn agree(stage: &Stage, agent: &AgentOf, promotion: &Promotion, evidence: usize) -> Result<()> {
    let stored = stage.api::<Evidence>().list(&kube::api::ListParams::default()).await?;
    ensure!(
        stored.items.len() == evidence,
        "{} pieces of evidence",
        stored.items.len()
    );
    let folder = stage.cx.cluster().work().path(&stage.cx.name("offline"));
    fs::create_dir_all(&folder).context("no folder")?;
    let offline = offline(stage, agent, &folder).await?;
    ensure!(
        offline.as_array().is_some_and(|checks| checks.len() == 4),
        "offline: {offline}"
    );
    until(
        &format!("the operator to say the same with {evidence} pieces of evidence"),
        || async {
            let found = stage.api::<Promotion>().get(&promotion.name_any()).await?;
            let said = json!(found.status.unwrap_or_default().checks);
            let said = only(&said);
            Ok(if said == offline {
                Look::Seen(())
            } else {
                Look::NotYet(format!("{said} and offline {offline}"))
            })
        },
    )
    .await
}

/// What the offline check says of each check, from files as `kubectl get -o json` gives them.
async fn offline(stage: &Stage, agent: &AgentOf, folder: &Path) -> Result<Value> {
    let admin = stage.cx.admin();
    for (file, kinds) in [
        ("policy", "environments.vouchsafe.dev,checks.vouchsafe.dev"),
        ("evidence", "evidence.vouchsafe.dev"),
    ] {
        let got = admin
            .kubectl(["get", kinds, "-n", &stage.namespace, "-o", "json"])
            .must()
            .await?;
        fs::write(folder.join(format!("{file}.json")), got)?;
    }
    let manifests = json!({"apiVersion": "v1", "kind": "List", "items": agent.objects()});
    fs::write(folder.join("agent.json"), manifests.to_string())?;
    let path = |name: &str| folder.join(name).display().to_string();
    let (manifests, policy, evidence) = (path("agent.json"), path("policy.json"), path("evidence.json"));
    let line = [
        "check",
        "-f",
        &manifests,
        "--environment",
        &stage.environment,
        "--policy",
        &policy,
        "--evidence",
        &evidence,
        "--output",
        "json",
    ];
    let ran = Run::new(built_program()?).args(line).ran().await?;
    ensure!(ran.code == Some(1), "nothing that is refused: {ran:?}");
    let said: Value = serde_json::from_str(&ran.stdout).context("the output is no JSON")?;
    let checks = said.pointer("/agents/0/decision/checks").context("no checks")?;
    Ok(only(checks))
}

/// The fields that have to be the same; what is empty is as good as absent.
fn only(checks: &Value) -> Value {
    let of = |check: &Value| {
        let field = |name: &str| {
            let value = check.get(name).cloned().unwrap_or_default();
            (name.to_owned(), if value == json!([]) { Value::Null } else { value })
        };
        Value::Object(FIELDS.into_iter().map(field).collect())
    };
    checks.as_array().into_iter().flatten().map(of).collect()
}
