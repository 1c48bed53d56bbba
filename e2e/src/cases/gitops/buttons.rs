//! Argo CD's buttons act as Argo CD, by its own Lua machine and the rights of its installation: what is cleared obeys them, nothing else gets in.
//! And what Argo CD could approve, and is kept from by the example.

use super::deployer::{Way, account, deployer, documents, live, rights};
use crate::{
    await_::{Look, until},
    gitops::engines::Delivery,
    pods::{await_held, is_held},
    program::Ran,
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::batch::v1::Job;
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};
use vouchsafe_api::{Approval, Promotion, approval::Vote};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "the buttons of Argo CD restart what is cleared, and let in nothing else",
            buttons,
        )
        .patience(super::PATIENCE),
        Case::new(
            &[],
            "an Approval in Git is refused by the example's project and rights, and stamped where nothing refuses it",
            approvals,
        )
        .patience(super::PATIENCE),
    ]
}

/// Argo CD's server as it is installed: it gets, patches and deletes everything, and creates Jobs.
async fn server(cx: &Context, namespace: &str) -> Result<User> {
    let (user, subject) = account(cx, namespace, "argocd-server").await?;
    let rules = vec![
        rule("*", &["*"], &[], &["get", "patch", "delete"]),
        rule("batch", &["jobs"], &[], &["create"]),
    ];
    cx.cluster().grants().allow_everywhere(rules, subject).await?;
    Ok(user)
}

/// Somebody presses a button: each request that Argo CD makes, and what became of it.
async fn press(stage: &Stage, server: &User, settings: &Value, object: &Value, action: &str) -> Result<Vec<Ran>> {
    let live = live(server, &stage.namespace, object).await?;
    let mut answers = Vec::new();
    for request in stage.cx.gitops().await?.act(settings, &live, action).await? {
        let body = request.body.to_string();
        if request.operation == "create" {
            let create = ["create", "-n", &stage.namespace, "-f", "-"];
            answers.push(server.kubectl(create).input(body).ran().await?);
            continue;
        }
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
        let of = format!("{}.{group}", text("/kind").to_lowercase());
        let of = of.trim_end_matches('.');
        let name = text("/metadata/name");
        let patch = ["patch", of, name, "-n", &stage.namespace, "--type=merge", "-p"];
        // As Argo CD does: what changes the status goes there first, then the rest to the object.
        let mut rest = request.body.clone();
        let status = rest.as_object_mut().and_then(|fields| fields.remove("status"));
        if status.is_some() {
            let patch = server.kubectl(patch).args([body.as_str(), "--subresource=status"]);
            answers.push(patch.ran().await?);
        }
        if rest != json!({}) {
            answers.push(server.kubectl(patch).arg(rest.to_string()).ran().await?);
        }
    }
    Ok(answers)
}

/// Argo CD's settings with one more button.
fn button(kind: &str, action: &str, lua: &str) -> Value {
    let key = format!("resource.customizations.actions.{kind}");
    let definition = format!(
        "definitions:\n- name: {action}\n  action.lua: |\n    {}\n",
        lua.replace('\n', "\n    ")
    );
    json!({"metadata": {"name": "argocd-cm"}, "data": {key: definition}})
}

async fn buttons(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    let promotion = stage.run(&agent).await?;
    let server = server(&cx, &stage.namespace).await?;
    let built_in = json!({"metadata": {"name": "argocd-cm"}, "data": {}});
    let old = stage.running(&agent.selector()).await?;
    for ran in press(&stage, &server, &built_in, &agent.deployment(), "restart").await? {
        ran.must()?;
    }
    until("the restarted pod alone", || async {
        let running = stage.running(&agent.selector()).await?;
        Ok(Look::when(running, |running| {
            running.len() == 1 && running.iter().all(|name| !old.contains(name))
        }))
    })
    .await?;
    jobs(&stage, &server, &built_in).await?;
    opened(&stage, &server, &agent, &promotion).await
}

/// A Job that nobody cleared, made by a button and resumed by another.
async fn jobs(stage: &Stage, server: &User, settings: &Value) -> Result<()> {
    let other = AgentOf::new("nightly");
    let mut template = other.template();
    if let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("restartPolicy".to_owned(), json!("Never"));
    }
    let nightly = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}});
    stage.apply(&[other.config_map(), nightly.clone()]).await?;
    for ran in press(stage, server, settings, &nightly, "create-job").await? {
        ran.must()?;
    }
    let jobs = stage.api::<Job>().list(&ListParams::default()).await?.items;
    let [job] = jobs.as_slice() else {
        anyhow::bail!("{} Jobs", jobs.len());
    };
    ensure!(
        job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true),
        "not held: {job:?}"
    );
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": job.name_any()}});
    for ran in press(stage, server, settings, &job, "resume").await? {
        ran.must()?;
    }
    stage.held(&other.selector(), 1).await?;
    stage.nothing_ran(&other.selector()).await
}

/// Buttons that somebody wrote to get around the gate.
async fn opened(stage: &Stage, server: &User, agent: &AgentOf, promotion: &Promotion) -> Result<()> {
    stage.apply(&agent.with_prompt("Refund everything.").objects()).await?;
    let next = stage.promotion_after("refund", &promotion.name_any()).await?;
    let pods = await_held(&stage.pods(), "app=nightly", 1).await?;
    let pod = pods
        .iter()
        .find(|pod| is_held(pod))
        .context("no pod is held")?
        .name_any();
    let named = |version: &str, kind: &str, name: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}});
    let ours = |kind: &str, name: &str| named("vouchsafe.dev/v1alpha1", kind, name);
    let approve = format!(
        "local approval = {{apiVersion = obj.apiVersion, kind = \"Approval\", metadata = {{name = \"pressed\", namespace = obj.metadata.namespace}},\n  \
         spec = {{promotion = obj.metadata.name, release = obj.spec.release, environment = \"{}\", role = \"security\", decision = \"Approve\"}}}}\n\
         return {{{{operation = \"create\", resource = approval}}}}",
        stage.environment
    );
    let attempts = [
        (
            ours("Promotion", &next.name_any()),
            "vouchsafe.dev_Promotion",
            approve.as_str(),
            "cannot create resource \"approvals\"",
        ),
        (
            ours("Promotion", &next.name_any()),
            "vouchsafe.dev_Promotion",
            "obj.status.verdict = \"Cleared\"\nreturn obj",
            "only the operator writes what is cleared",
        ),
        (
            ours("Clearance", "clearance"),
            "vouchsafe.dev_Clearance",
            "obj.spec.environment = \"other\"\nreturn obj",
            "only the operator writes what is cleared",
        ),
        (
            named("v1", "Pod", &pod),
            "Pod",
            "obj.spec.schedulingGates = nil\nreturn obj",
            "only the operator takes the gate",
        ),
    ];
    for (object, key, lua, reason) in attempts {
        let settings = button(key, "open", lua);
        let answers = press(stage, server, &settings, &object, "open").await?;
        let ran = answers.into_iter().last().context("no request")?;
        ran.must_fail_with(reason).with_context(|| format!("{key}: {lua}"))?;
    }
    let held = stage.pods().get(&pod).await?;
    ensure!(is_held(&held), "the pod's gate is gone");
    let votes = stage.api::<Approval>().list(&ListParams::default()).await?.items;
    ensure!(
        votes.len() == 1,
        "{} Approvals, and one was given by a person",
        votes.len()
    );
    Ok(())
}

async fn approvals(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    stage.apply(&AgentOf::new("refund").objects()).await?;
    let promotion = stage.promotion("refund").await?;
    let mut approval = serde_json::to_value(stage.approval(&promotion, "security", Vote::Approve))?;
    *approval.pointer_mut("/metadata").context("no metadata")? = json!({"name": "in-git"});
    let objects = [approval];
    let projects = documents("examples/gitops/argocd/projects.yaml")?;
    let support = projects
        .iter()
        .find(|project| project.pointer("/metadata/name") == Some(&json!("support")));
    let deployer = deployer(&stage, rights(Way::ArgoServerSide)).await?;
    let (admin, subject) = account(&cx, &stage.namespace, "argocd-application-controller").await?;
    let everything = vec![rule("*", &["*"], &[], &["*"])];
    cx.cluster().grants().allow_everywhere(everything, subject).await?;
    let tries = [
        (
            &admin,
            support,
            "Failed",
            "Approval is not permitted in project support",
        ),
        (&deployer, None, "Failed", "cannot patch resource \\\"approvals\\\""),
        (&admin, None, "Succeeded", "in-git"),
    ];
    for (user, project, phase, says) in tries {
        let git = Delivery {
            user,
            namespace: &stage.namespace,
            objects: &objects,
            stale: &[],
        };
        let gitops = cx.gitops().await?;
        let operation = gitops.sync(&git, &["ServerSideApply=true"], project, None).await?;
        ensure!(
            operation.phase == phase && operation.says(says),
            "by {}, not {phase} with {says:?}: {operation:?}",
            user.name
        );
    }
    // With every right and no project it is admitted, and says that it was Argo CD.
    let given = stage.api::<Approval>().get("in-git").await?;
    let by = given.spec.by.context("no stamp")?.username;
    ensure!(by.ends_with(":argocd-application-controller"), "{by}");
    Ok(())
}
