//! The cases on a real node: a kubelet that runs containers on this machine, the operator as pods of its own image.
//!
//! Runs inside namespaces of its own. Where a machine cannot run containers every case is skipped, and it is said why.

use crate::{
    cases,
    cluster::{Cluster, real_node},
    counts::Counts,
    images::Image,
    isolated, ports, product,
    registry::{Kind, Registry},
    suite::{self, Report, World},
    tools::{Kubernetes, Progress, Tool, Tools},
    work::Work,
};
use anyhow::{Result, bail};
use std::sync::Arc;

/// The images that the cases run, and where the node gets them.
#[derive(Debug)]
pub struct Images {
    /// The operator, by digest.
    pub operator: String,
    /// The agent, by digest.
    pub agent: String,
    /// Up while this lives.
    pub registry: Registry,
}

/// Builds what the cases need, and runs them inside; or says why they cannot run here.
///
/// # Errors
/// When something does not build, or no case matches.
pub async fn run(filter: &[String], kubernetes: Kubernetes, progress: Progress) -> Result<Counts> {
    let chosen = suite::select(cases::on_node(), filter)?;
    if let Some(obstacle) = isolated::obstacle() {
        skipped(&obstacle, chosen.len());
        return Ok(Counts {
            skipped: chosen.len(),
            ..Counts::default()
        });
    }
    Tools::prepare(&Tool::ALL, progress)?.of_kubernetes(kubernetes, progress)?;
    progress("the static program", std::time::Duration::ZERO);
    product::build_static()?;
    // Made here, as there is no network inside.
    product::sbom().await?;
    let verb = ["node", "--kubernetes", kubernetes.word].map(str::to_owned);
    let args: Vec<String> = verb.into_iter().chain(filter.iter().cloned()).collect();
    isolated::run(&args).await
}

/// Loud, because what is skipped is not shown.
#[expect(clippy::print_stdout, reason = "it belongs to the output of the cases")]
fn skipped(obstacle: &str, count: usize) {
    println!("SKIP  {count} cases on a real node: {obstacle}");
}

/// The cases, inside.
///
/// # Errors
/// When the cluster does not come up.
pub async fn inside(filter: &[String], kubernetes: Kubernetes, progress: Progress) -> Result<Report> {
    if !isolated::is_inside() {
        bail!("a real node is started in namespaces of its own only");
    }
    isolated::settle()?;
    let cases = suite::select(cases::on_node(), filter)?;
    let tools = Tools::prepare(&Tool::ALL, progress)?.of_kubernetes(kubernetes, progress)?;
    let work = Work::take("node")?;
    let (images, pause) = images(&tools, &work).await?;
    let cluster = Cluster::start_on_this_machine(tools, work, &pause).await?;
    let world = Arc::new(World::on_node(cluster, images)?);
    Ok(suite::run(&world, cases, 1).await)
}

/// A registry with the operator, the agent, and what holds a pod's namespaces.
async fn images(tools: &Tools, work: &Work) -> Result<(Images, String)> {
    let address = format!("{}:{}", real_node::SERVES, ports::free()?);
    let registry = Registry::start(Kind::Referrers, &address, tools, work).await?;
    let serve = agent("serve", &address, tools, work).await?;
    let pause = agent("pause", &address, tools, work).await?;
    let (program, name) = (product::build_static()?, format!("{address}/vouchsafe:test"));
    let operator = product::image(&program, &name, &work.path("image"), tools).await?;
    let images = Images {
        operator,
        agent: serve,
        registry,
    };
    Ok((images, pause))
}

/// The test's own program in one of its modes.
async fn agent(mode: &str, address: &str, tools: &Tools, work: &Work) -> Result<String> {
    let program = tools.path("agent")?;
    let image = Image {
        files: &[(&program, "/agent")],
        entrypoint: &["/agent", mode],
        user: "65532:65532",
        labels: &[],
    };
    image
        .push(&format!("{address}/{mode}:1"), &work.path(mode), tools)
        .await
}
