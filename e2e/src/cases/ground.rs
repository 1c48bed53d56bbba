//! The ground that every other case stands on: pods run, and ordinary users may only what they were given.

use crate::{
    pods::await_running,
    suite::{Case, Context},
    workloads::{IMAGE, deployment},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::{apps::v1::Deployment, authentication::v1::SelfSubjectReview};
use kube::{
    Api,
    api::{ListParams, PostParams},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(&[], "the pods of a Deployment run on nodes", deployment_runs),
        Case::new(&[], "a Job completes", job_completes),
        Case::new(
            &[],
            "the API server refuses what a user was not given",
            ordinary_user_is_refused,
        ),
        Case::new(
            &[],
            "a user has exactly the name and groups asked for",
            user_is_who_it_says,
        ),
        Case::new(&[], "the controllers and the scheduler come back", components_restart).alone(),
    ]
}

async fn deployment_runs(cx: Context) -> Result<()> {
    let namespace = cx.namespace("runs").await?;
    let editor = cx.editor(&namespace).await?;
    editor
        .apply(&namespace, &[deployment("agent", IMAGE, 2)])
        .must()
        .await?;
    await_running(&editor.api(&namespace), "app=agent", 2).await?;
    Ok(())
}

async fn job_completes(cx: Context) -> Result<()> {
    let namespace = cx.namespace("job").await?;
    let editor = cx.editor(&namespace).await?;
    let create = ["create", "job", "once", "-n", &namespace, "--image", IMAGE];
    editor.kubectl(create).must().await?;
    let wait = [
        "wait",
        "job/once",
        "-n",
        &namespace,
        "--for=condition=Complete",
        "--timeout=60s",
    ];
    editor.kubectl(wait).must().await?;
    Ok(())
}

async fn ordinary_user_is_refused(cx: Context) -> Result<()> {
    let (mine, theirs) = (cx.namespace("mine").await?, cx.namespace("theirs").await?);
    let editor = cx.editor(&mine).await?;
    editor.kubectl(["get", "pods", "-n", &mine]).must().await?;
    let refused = format!("User \"{}\" cannot create resource \"deployments\"", editor.name);
    let create = ["create", "deployment", "agent", "--image", IMAGE, "-n", &theirs];
    editor.kubectl(create).ran().await?.must_fail_with(&refused)?;
    let found = Api::<Deployment>::namespaced(cx.client(), &theirs)
        .list(&ListParams::default())
        .await?;
    ensure!(found.items.is_empty(), "a refused Deployment is there");
    Ok(())
}

async fn user_is_who_it_says(cx: Context) -> Result<()> {
    let name = cx.name("maria");
    let user = cx.cluster().user(&name, &["team:support", "security"]).await?;
    let review: Api<SelfSubjectReview> = Api::all(user.client.clone());
    let review = review
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await?;
    let info = review
        .status
        .and_then(|status| status.user_info)
        .context("the review has no answer")?;
    ensure!(
        info.username.as_deref() == Some(name.as_str()),
        "the API server sees {:?}",
        info.username
    );
    let groups = info.groups.unwrap_or_default();
    ensure!(
        groups == ["team:support", "security", "system:authenticated"],
        "the API server sees {groups:?}"
    );
    let kubectl = user.kubectl(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
    ensure!(kubectl.must().await? == name, "kubectl is somebody else");
    Ok(())
}

async fn components_restart(cx: Context) -> Result<()> {
    cx.must_be_ours()?;
    let namespace = cx.namespace("restart").await?;
    cx.admin()
        .apply(&namespace, &[deployment("before", IMAGE, 1)])
        .must()
        .await?;
    for component in [
        crate::cluster::Component::Controllers,
        crate::cluster::Component::Scheduler,
    ] {
        cx.cluster().kill(component)?;
        cx.cluster().launch(component).await?;
    }
    let pods = Api::namespaced(cx.client(), &namespace);
    await_running(&pods, "app=before", 1).await?;
    cx.admin()
        .apply(&namespace, &[deployment("after", IMAGE, 1)])
        .must()
        .await?;
    await_running(&pods, "app=after", 1).await?;
    Ok(())
}
