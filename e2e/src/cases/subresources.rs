//! Every resource and subresource that the API server serves and that could let something in: judged by a policy of ours that is really
//! installed, or free for a reason. A subresource that a new Kubernetes brings fails this case until somebody has looked at it.

use crate::{
    attempt::policies,
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use kube::{ResourceExt, api::ListParams};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Verbs that write.
const WRITES: &[&str] = &["create", "update", "patch", "connect"];
/// What these groups serve is looked at; in other groups, kinds that hold a pod's template.
const GROUPS: &[&str] = &["v1", "apps/v1", "batch/v1", "vouchsafe.dev/v1alpha1"];
/// What of these groups is looked at: everything that holds pods, and what decides which policies apply.
const KINDS: &[&str] = &[
    "pods",
    "namespaces",
    "replicationcontrollers",
    "podtemplates",
    "bindings",
    "services",
    "deployments",
    "statefulsets",
    "daemonsets",
    "replicasets",
    "controllerrevisions",
    "jobs",
    "cronjobs",
    "agents",
    "approvals",
    "checks",
    "clearances",
    "environments",
    "evidence",
    "promotions",
    "waivers",
];

/// Who judges it, or why nobody has to.
enum Answer {
    /// Every one of these policies.
    By(&'static [&'static str]),
    /// Nobody, and why that lets nothing in.
    Free(&'static str),
}

use Answer::{By, Free};

/// Groups and resources, rule by rule.
type Rules = Vec<(Vec<String>, Vec<String>)>;

const TEMPLATES: Answer = By(&["vouchsafe-workloads", "vouchsafe-workloads-deny"]);
const STATUS_OF_OTHERS: Answer = Free("counts and conditions: nothing runs by them");
const SCALE: Answer = Free("how many, not what: each pod is judged");
const CONFIGURES: Answer = Free("what is asked for, by RBAC; it decides nothing before the operator has read it");

const TABLE: &[(&str, Answer)] = &[
    ("v1 bindings", Free("a pod with a gate cannot be bound")),
    (
        "v1 pods",
        By(&["vouchsafe-hold", "vouchsafe-pods", "vouchsafe-pod-updates"]),
    ),
    ("v1 pods/ephemeralcontainers", By(&["vouchsafe-pod-updates"])),
    ("v1 pods/resize", By(&["vouchsafe-pod-updates"])),
    ("v1 pods/status", By(&["vouchsafe-pod-updates"])),
    ("v1 pods/binding", Free("a pod with a gate cannot be bound")),
    ("v1 pods/eviction", Free("a pod can always go")),
    ("v1 pods/attach", By(&["vouchsafe-access"])),
    ("v1 pods/exec", By(&["vouchsafe-access"])),
    ("v1 pods/portforward", By(&["vouchsafe-access"])),
    ("v1 pods/proxy", By(&["vouchsafe-access"])),
    (
        "v1 namespaces",
        By(&["vouchsafe-namespaces", "vouchsafe-namespace-names"]),
    ),
    ("v1 namespaces/finalize", By(&["vouchsafe-namespaces"])),
    ("v1 namespaces/status", By(&["vouchsafe-namespaces"])),
    (
        "v1 services",
        Free("where a name leads, not what runs: not watched yet"),
    ),
    ("v1 services/status", STATUS_OF_OTHERS),
    ("v1 services/proxy", By(&["vouchsafe-access"])),
    ("v1 podtemplates", TEMPLATES),
    ("v1 replicationcontrollers", TEMPLATES),
    ("v1 replicationcontrollers/scale", SCALE),
    ("v1 replicationcontrollers/status", STATUS_OF_OTHERS),
    (
        "apps/v1 controllerrevisions",
        Free("history: what is rolled back to is a template, judged as it is written"),
    ),
    ("apps/v1 daemonsets", TEMPLATES),
    ("apps/v1 daemonsets/status", STATUS_OF_OTHERS),
    ("apps/v1 deployments", TEMPLATES),
    ("apps/v1 deployments/scale", SCALE),
    ("apps/v1 deployments/status", STATUS_OF_OTHERS),
    ("apps/v1 replicasets", TEMPLATES),
    ("apps/v1 replicasets/scale", SCALE),
    ("apps/v1 replicasets/status", STATUS_OF_OTHERS),
    ("apps/v1 statefulsets", TEMPLATES),
    ("apps/v1 statefulsets/scale", SCALE),
    ("apps/v1 statefulsets/status", STATUS_OF_OTHERS),
    ("batch/v1 cronjobs", TEMPLATES),
    ("batch/v1 cronjobs/status", STATUS_OF_OTHERS),
    (
        "batch/v1 jobs",
        By(&["vouchsafe-hold-jobs", "vouchsafe-workloads", "vouchsafe-workloads-deny"]),
    ),
    ("batch/v1 jobs/status", STATUS_OF_OTHERS),
    ("vouchsafe.dev/v1alpha1 agents", CONFIGURES),
    ("vouchsafe.dev/v1alpha1 agents/status", By(&["vouchsafe-ledger"])),
    (
        "vouchsafe.dev/v1alpha1 approvals",
        By(&["vouchsafe-stamp", "vouchsafe-grants"]),
    ),
    ("vouchsafe.dev/v1alpha1 approvals/status", By(&["vouchsafe-ledger"])),
    ("vouchsafe.dev/v1alpha1 checks", CONFIGURES),
    ("vouchsafe.dev/v1alpha1 checks/status", By(&["vouchsafe-ledger"])),
    ("vouchsafe.dev/v1alpha1 clearances", By(&["vouchsafe-ledger"])),
    ("vouchsafe.dev/v1alpha1 clearances/status", By(&["vouchsafe-ledger"])),
    ("vouchsafe.dev/v1alpha1 environments", CONFIGURES),
    ("vouchsafe.dev/v1alpha1 environments/status", By(&["vouchsafe-ledger"])),
    (
        "vouchsafe.dev/v1alpha1 evidence",
        By(&["vouchsafe-stamp", "vouchsafe-grants"]),
    ),
    ("vouchsafe.dev/v1alpha1 evidence/status", By(&["vouchsafe-ledger"])),
    (
        "vouchsafe.dev/v1alpha1 promotions",
        By(&["vouchsafe-stamp-promotions", "vouchsafe-grants"]),
    ),
    ("vouchsafe.dev/v1alpha1 promotions/status", By(&["vouchsafe-ledger"])),
    (
        "vouchsafe.dev/v1alpha1 waivers",
        By(&["vouchsafe-stamp", "vouchsafe-grants"]),
    ),
    ("vouchsafe.dev/v1alpha1 waivers/status", By(&["vouchsafe-ledger"])),
];

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D03"],
        "every subresource that the API server serves is judged by an installed policy, or free for a reason",
        all_are_known,
    )]
}

async fn all_are_known(cx: Context) -> Result<()> {
    cx.chart().await?;
    let table: BTreeMap<&str, &Answer> = TABLE.iter().map(|(name, answer)| (*name, answer)).collect();
    let rules = rules(&cx).await?;
    let mut seen = BTreeSet::new();
    for group in GROUPS {
        for resource in resources(&cx, group).await? {
            let name = format!("{group} {resource}");
            let answer = table.get(name.as_str());
            let answer = answer.with_context(|| format!("nobody has said who judges `{name}`"))?;
            judged(&rules, group, &resource, answer).with_context(|| name.clone())?;
            seen.insert(name);
        }
    }
    let gone: Vec<_> = table.keys().filter(|name| !seen.contains(**name)).collect();
    ensure!(
        gone.iter().all(|name| name.ends_with("/status")) && seen.len() > 40,
        "the API server does not serve these: {gone:?}"
    );
    templates_elsewhere(&cx).await
}

/// What of a group can be written, and is of our kinds.
async fn resources(cx: &Context, group: &str) -> Result<Vec<String>> {
    let client = cx.client();
    let list = match group {
        "v1" => client.list_core_api_resources(group).await,
        _ => client.list_api_group_resources(group).await,
    };
    let is_meant = |resource: &APIResource| {
        let kind = resource.name.split('/').next().unwrap_or_default();
        let writes = resource.verbs.iter().any(|verb| WRITES.contains(&verb.as_str()));
        // What is connected to is served by GET and POST: discovery says `create` and `get`.
        KINDS.contains(&kind) && writes
    };
    let found = list.with_context(|| format!("the API server does not list {group}"))?;
    Ok(found
        .resources
        .into_iter()
        .filter(is_meant)
        .map(|resource| resource.name)
        .collect())
}

/// What each installed policy looks at: groups and resources.
async fn rules(cx: &Context) -> Result<BTreeMap<String, Rules>> {
    let mut rules = BTreeMap::new();
    let mutates = if cx.cluster().tools().kubernetes().serves_mutations() {
        "MutatingAdmissionPolicy"
    } else {
        for (policy, webhook) in WEBHOOKS {
            let asked = of(&webhook_of(cx, webhook).await?, "/rules");
            rules.insert((*policy).to_owned(), asked);
        }
        "ValidatingAdmissionPolicy"
    };
    for kind in ["ValidatingAdmissionPolicy", mutates] {
        let installed = policies(cx.cluster(), kind);
        for policy in installed.list(&ListParams::default()).await? {
            let spec = policy.data.get("spec").context("a policy without a spec")?;
            rules.insert(policy.name_any(), of(spec, "/matchConstraints/resourceRules"));
        }
    }
    Ok(rules)
}

/// Which webhook is in the place of which policy, where the API server serves none that mutate.
const WEBHOOKS: &[(&str, &str)] = &[
    ("vouchsafe-hold", "pods.hold.vouchsafe.dev"),
    ("vouchsafe-hold-jobs", "jobs.hold.vouchsafe.dev"),
    ("vouchsafe-stamp", "stamp.vouchsafe.dev"),
    ("vouchsafe-stamp-promotions", "stamp.vouchsafe.dev"),
];

async fn webhook_of(cx: &Context, name: &str) -> Result<Value> {
    let installed = policies(cx.cluster(), "MutatingWebhookConfiguration")
        .get("vouchsafe-hold")
        .await?;
    let webhooks = installed.data.get("webhooks").and_then(Value::as_array);
    let mut found = webhooks.into_iter().flatten().filter(|webhook| webhook["name"] == name);
    found
        .next()
        .cloned()
        .with_context(|| format!("there is no webhook {name}"))
}

/// The rules that stand there.
fn of(spec: &Value, at: &str) -> Rules {
    let words = |rule: &Value, field: &str| -> Vec<String> {
        let list = rule.get(field).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let list = spec.pointer(at).and_then(Value::as_array);
    let rules = list.into_iter().flatten();
    rules
        .map(|rule| (words(rule, "apiGroups"), words(rule, "resources")))
        .collect()
}

fn judged(rules: &BTreeMap<String, Rules>, group_version: &str, resource: &str, answer: &Answer) -> Result<()> {
    let policies = match answer {
        By(policies) => *policies,
        Free(reason) => {
            ensure!(!reason.is_empty(), "free without a reason");
            return Ok(());
        }
    };
    let group = group_version.rsplit_once('/').map_or("", |(group, _)| group);
    let status = resource.ends_with("/status");
    for policy in policies {
        let rules = rules
            .get(*policy)
            .with_context(|| format!("{policy} is not installed"))?;
        let looks = rules.iter().any(|(groups, resources)| {
            let names = |name: &String| name == resource || status && name == "*/status";
            groups.iter().any(|name| name == group) && resources.iter().any(names)
        });
        ensure!(looks, "{policy} does not look at it: {rules:?}");
    }
    Ok(())
}

/// No other group of the API server's own has a kind with a pod's template.
async fn templates_elsewhere(cx: &Context) -> Result<()> {
    let request = hyper::Request::get("/openapi/v3").body(Vec::new())?;
    let index: Value = cx.client().request(request).await.context("no list of schemas")?;
    let paths = index.get("paths").and_then(Value::as_object).context("no paths")?;
    let mut holders = BTreeSet::new();
    for path in paths
        .keys()
        .filter(|path| path.matches('/').count() > 0 && !path.contains("vouchsafe.dev"))
    {
        let request = hyper::Request::get(format!("/openapi/v3/{path}")).body(Vec::new())?;
        let document: Value = cx
            .client()
            .request(request)
            .await
            .with_context(|| format!("no schema of {path}"))?;
        let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
        for (name, schema) in schemas.into_iter().flatten() {
            let text = schema.to_string();
            if text.contains("io.k8s.api.core.v1.PodTemplateSpec\"") || text.contains("io.k8s.api.core.v1.PodSpec\"") {
                holders.insert(name.clone());
            }
        }
    }
    let expected: BTreeSet<String> = [
        "apps.v1.DaemonSetSpec",
        "apps.v1.DeploymentSpec",
        "apps.v1.ReplicaSetSpec",
        "apps.v1.StatefulSetSpec",
        "batch.v1.JobSpec",
        "core.v1.Pod",
        "core.v1.PodTemplate",
        "core.v1.PodTemplateSpec",
        "core.v1.ReplicationControllerSpec",
    ]
    .into_iter()
    .map(|name| format!("io.k8s.api.{name}"))
    .collect();
    ensure!(holders == expected, "kinds that hold pods: {holders:?}");
    Ok(())
}
