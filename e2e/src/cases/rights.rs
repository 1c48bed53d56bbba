//! The operator's rights, as it uses them: the API server's audit log has what was asked, and by which right it was allowed.

use crate::{
    attempt::create,
    await_::{Look, until},
    chart::{NAME, NAMESPACE},
    pods::await_running,
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::User,
};
use anyhow::{Context as _, Result, ensure};
use kube::ResourceExt;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vouchsafe_api::{approval::Vote, promotion::status::Verdict};

/// Rights that no story of minutes uses, and what shows that they are needed.
const SELDOM: [(&str, &str); 5] = [
    (
        "delete vouchsafe.dev/promotions",
        "retention, after ten minutes: src/enforce/retention.rs",
    ),
    ("delete vouchsafe.dev/evidence", "retention"),
    ("delete vouchsafe.dev/approvals", "retention"),
    ("delete vouchsafe.dev/waivers", "retention"),
    (
        "patch events.k8s.io/events",
        "the second of the same Event within six minutes",
    ),
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "the operator asks for nothing that it may not, and may nothing that it does not ask for",
            used_and_no_more,
        )
        .alone(),
    ]
}

/// A right: verb, group and resource.
type Rights = BTreeSet<String>;

async fn used_and_no_more(cx: Context) -> Result<()> {
    cx.must_be_ours()?;
    let operator = cx.operator().await?;
    // Of what was asked before only that it was allowed counts: other cases stop the API server, which refuses while it starts.
    let (before, beginning) = cx.cluster().audit_log(0)?;
    let before = Asked::of(&before);
    operator.restart().await?;
    everything(&cx).await?;
    let given = given(cx.admin()).await?;
    let seldom: Rights = SELDOM.iter().map(|(right, _)| (*right).to_owned()).collect();
    ensure!(
        seldom.is_subset(&given),
        "these are not given any more: {:?}",
        seldom.difference(&given)
    );
    let unused = until("every right to be used", || async {
        let (log, _) = cx.cluster().audit_log(beginning)?;
        let mut asked = Asked::of(&log);
        ensure!(!asked.allowed.is_empty(), "the audit log has nothing of the operator");
        ensure!(
            asked.refused.is_empty(),
            "the operator asked for what it may not: {:?}",
            asked.refused
        );
        asked.allowed.extend(before.allowed.iter().cloned());
        let unused: Rights = given.difference(&asked.allowed).cloned().collect();
        Ok(Look::when(unused, |unused| unused.is_subset(&seldom)))
    })
    .await?;
    cx.tell(&format!(
        "the operator used {} of its {} rights; seldom: {unused:?}",
        given.len() - unused.len(),
        given.len()
    ));
    Ok(())
}

/// What takes every right: an agent whose author is not known, a Job, a Check, a namespace that joins and leaves.
async fn everything(cx: &Context) -> Result<()> {
    let mut spec = one_approval();
    if let Some(fields) = spec.as_object_mut() {
        fields.insert("unknownAuthor".to_owned(), json!("ExtraApproval"));
    }
    let stage = Stage::set(cx, spec).await?;
    let check = json!({
        "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Check", "metadata": {"name": cx.name("check")},
        "spec": {"surface": {"policy": "true"}},
    });
    create(cx.admin(), None, &check).await?.taken("a Check")?;
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    clear(&stage, &agent).await?;
    let once = AgentOf::new("once").with_prompt("Only once.");
    let mut template = once.template();
    if let Some(spec) = template.pointer_mut("/spec").and_then(Value::as_object_mut) {
        spec.insert("restartPolicy".to_owned(), json!("Never"));
    }
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": once.name}, "spec": {"template": template}});
    stage
        .apply(&[once.config_map(), job, once.agent("Job", "batch/v1")])
        .await?;
    clear(&stage, &once).await?;
    let leave = ["label", "namespace", &stage.namespace, "vouchsafe.dev/environment-"];
    cx.admin().kubectl(leave).must().await.map(drop)
}

/// Two people approve: one in the role, and one who is independent of an author whom nobody knows.
async fn clear(stage: &Stage, agent: &AgentOf) -> Result<()> {
    let promotion = stage.promotion(&agent.name).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    stage.vote(&stage.product, &promotion, "product", Vote::Approve).await?;
    stage.verdict(&promotion.name_any(), Verdict::Cleared).await?;
    await_running(&stage.pods(), &agent.selector(), 1).await.map(drop)
}

/// What is bound to the operator's service account. `get` beside `list` is not counted: it shows no more.
async fn given(admin: &User) -> Result<Rights> {
    let mut rights = Rights::new();
    let bindings = read(admin, &["get", "clusterrolebindings,rolebindings", "-A"]).await?;
    for binding in list(&bindings, "/items") {
        let ours = |subject: &Value| {
            subject.get("name") == Some(&json!(NAME)) && subject.get("namespace") == Some(&json!(NAMESPACE))
        };
        if !list(binding, "/subjects").any(ours) {
            continue;
        }
        let (kind, name) = (word(binding, "/roleRef/kind"), word(binding, "/roleRef/name"));
        let place = word(binding, "/metadata/namespace");
        let mut words = vec!["get", kind, name];
        words.extend(["-n", place].into_iter().filter(|_| !place.is_empty()));
        let role = read(admin, &words).await?;
        rights.extend(list(&role, "/rules").flat_map(of_rule));
    }
    ensure!(rights.len() > 20, "only these are given: {rights:?}");
    Ok(rights)
}

fn of_rule(rule: &Value) -> Vec<String> {
    let words = |pointer: &str| list(rule, pointer).filter_map(Value::as_str).collect::<Vec<_>>();
    let (groups, resources) = (words("/apiGroups"), words("/resources"));
    let mut rights = Vec::new();
    let verbs = words("/verbs");
    let counted = |verb: &&str| *verb != "get" || !verbs.contains(&"list");
    for verb in verbs.iter().copied().filter(counted) {
        for group in &groups {
            rights.extend(resources.iter().map(|resource| format!("{verb} {group}/{resource}")));
        }
    }
    rights
}

async fn read(admin: &User, words: &[&str]) -> Result<Value> {
    let words = words.iter().copied().chain(["-o", "json"]);
    serde_json::from_str(&admin.kubectl(words).must().await?).context("kubectl gave no JSON")
}

fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn word<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What the operator asked of the API server.
#[derive(Default)]
struct Asked {
    allowed: Rights,
    refused: Rights,
}

impl Asked {
    fn of(log: &str) -> Self {
        let mut asked = Self::default();
        // A line that is half written is read the next time.
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for event in events {
            let word = |pointer: &str| word(&event, pointer);
            let (resource, subresource) = (word("/objectRef/resource"), word("/objectRef/subresource"));
            let slash = if subresource.is_empty() { "" } else { "/" };
            let whole = format!("{resource}{slash}{subresource}");
            let right = format!("{} {}/{whole}", word("/verb"), word("/objectRef/apiGroup"));
            match word("/annotations/authorization.k8s.io~1decision") {
                "allow" if !resource.is_empty() => asked.allowed.insert(right),
                "forbid" => asked.refused.insert(right),
                _ => false,
            };
        }
        asked
    }
}
