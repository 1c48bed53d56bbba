//! Without Helm: `deploy/install/` is what the chart says, and the book's commands install, change and take away what it brings.

use crate::{
    attempt,
    await_::{Look, until},
    chart, checkout, manifest,
    pods::await_running,
    program::Run,
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Namespace};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use vouchsafe_api::{Agent, Environment, environment::status::InstalledPolicies};

/// The heading in the book, on both pages.
const HEADING: &str = "## Without Helm";
/// Our policies and bindings, as their names are.
const POLICIES: [&str; 4] = [
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(&[], "install.yaml is what the chart says", no_drift),
        Case::new(
            &[],
            "installed, changed by kustomize and taken away without Helm, as the book says",
            as_the_book_says,
        )
        .alone()
        .patience(Duration::from_secs(400)),
    ]
}

async fn no_drift(cx: Context) -> Result<()> {
    let text = manifest::text(cx.cluster().tools()).await?;
    ensure!(
        manifest::stored()? == text,
        "deploy/install/install.yaml is not what the chart says: run make generate"
    );
    let objects = chart::objects(&text)?;
    ensure!(objects.len() > 50, "only {} objects", objects.len());
    Ok(())
}

async fn as_the_book_says(cx: Context) -> Result<()> {
    if !cx.cluster().tools().kubernetes().has_stable_mutations() {
        return Err(cx.skip("install.yaml has the policies in the version that Kubernetes 1.36 serves"));
    }
    let own = cx.elsewhere().await?;
    let place = Place::new(&own)?;
    own.chart_by(async {
        place.run(&own, &place.install.commands).await?;
        chart::await_kinds(own.cluster()).await
    })
    .await?;
    let stage = Stage::set(&own, one_approval()).await?;
    let environments: Api<Environment> = Api::all(own.client());
    until("the policies to be what the operator ships", || async {
        let status = environments.get(&stage.environment).await?.status.unwrap_or_default();
        Ok(Look::when(status.enforced, |enforced| {
            enforced
                .as_ref()
                .is_some_and(|enforced| enforced.policies == InstalledPolicies::Current)
        }))
    })
    .await?;
    let agent = AgentOf::new("refund");
    stage.run(&agent).await.context("an agent is held, approved and runs")?;
    changed(&own).await?;
    let waiting = AgentOf::new("next").with_prompt("Be next.");
    stage.apply(&waiting.objects()).await?;
    stage.held(&waiting.selector(), 1).await?;
    own.operator().await?.stop().await?;
    place.run(&own, &place.uninstall.commands).await?;
    gone(&stage).await?;
    await_running(&stage.pods(), &agent.selector(), 1).await?;
    let agents = stage.api::<Agent>().list(&ListParams::default()).await?;
    ensure!(agents.items.len() == 2, "the Agents are {:?}", agents.items.len());
    Ok(())
}

/// What the book's kustomization says is so.
async fn changed(cx: &Context) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(cx.client(), chart::NAMESPACE);
    let spec = deployments.get(chart::NAME).await?.spec.context("no spec")?;
    let pod = spec.template.spec.context("no pod")?;
    let container = pod.containers.first().context("no container")?;
    let image = container.image.as_deref().unwrap_or_default();
    ensure!(
        image == "registry.internal:5000/vouchsafe:0.1.0",
        "the image is `{image}`"
    );
    ensure!(spec.replicas == Some(3), "replicas: {:?}", spec.replicas);
    let quiet = container
        .env
        .iter()
        .flatten()
        .find(|variable| variable.name == "VOUCHSAFE_QUIET_MILLISECONDS");
    let quiet = quiet.and_then(|variable| variable.value.as_deref());
    ensure!(quiet == Some("10000"), "quiet for {quiet:?}");
    Ok(())
}

/// Nothing of it is left but the definitions.
async fn gone(stage: &Stage) -> Result<()> {
    let admin = stage.cx.admin();
    let mut left = Vec::new();
    for kind in POLICIES {
        let all = list(&attempt::api(admin, None, "admissionregistration.k8s.io/v1", kind)).await?;
        left.extend(all.into_iter().map(|name| format!("{kind}/{name}")));
    }
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        let all = list(&attempt::api(admin, None, "rbac.authorization.k8s.io/v1", kind)).await?;
        let ours = all.into_iter().filter(|name| name.starts_with("vouchsafe-"));
        left.extend(ours.map(|name| format!("{kind}/{name}")));
    }
    let namespaces: Api<Namespace> = Api::all(stage.cx.client());
    for name in [chart::NAMESPACE, "vouchsafe-probe"] {
        left.extend(namespaces.get_opt(name).await?.map(|found| found.name_any()));
    }
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}

async fn list(api: &Api<DynamicObject>) -> Result<Vec<String>> {
    Ok(api
        .list(&ListParams::default())
        .await?
        .iter()
        .map(ResourceExt::name_any)
        .collect())
}

/// A folder as the book's reader has it, and what two of its pages say.
struct Place {
    folder: PathBuf,
    install: Page,
    uninstall: Page,
}

impl Place {
    fn new(cx: &Context) -> Result<Self> {
        let folder = cx.cluster().work().path("reader");
        let (install, uninstall) = (Page::read("install.md")?, Page::read("uninstall.md")?);
        copy(&manifest::folder(), &folder.join("deploy/install"))?;
        let own = folder.join("vouchsafe");
        fs::create_dir_all(&own).context("cannot make a folder")?;
        fs::write(own.join("kustomization.yaml"), &install.yaml).context("cannot write the kustomization")?;
        Ok(Self {
            folder,
            install,
            uninstall,
        })
    }

    async fn run(&self, cx: &Context, commands: &str) -> Result<()> {
        let shell = cx.admin().run(Path::new("/bin/sh"));
        let run: Run = shell.args(["-ec", commands]).folder(&self.folder);
        let said = run.must().await?;
        ensure!(said.lines().count() > 4, "the commands say only: {said}");
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make `{}`", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name())).context("cannot copy a file")?;
    }
    Ok(())
}

/// What a page has under the heading.
struct Page {
    /// Lines that are set in.
    commands: String,
    /// The block of YAML, where there is one.
    yaml: String,
}

impl Page {
    fn read(name: &str) -> Result<Self> {
        let path = checkout().join("docs/book").join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let (_, rest) = text
            .split_once(HEADING)
            .with_context(|| format!("{name} has no `{HEADING}`"))?;
        let section = rest.split_once("\n## ").map_or(rest, |(section, _)| section);
        let (before, rest) = section.split_once("```yaml\n").unwrap_or((section, ""));
        let (yaml, after) = rest.split_once("```").unwrap_or_default();
        let lines = before.lines().chain(after.lines());
        let commands: Vec<&str> = lines.filter_map(|line| line.strip_prefix("    ")).collect();
        ensure!(!commands.is_empty(), "{name} has no commands");
        Ok(Self {
            commands: commands.join("\n"),
            yaml: yaml.to_owned(),
        })
    }
}
