//! The demo: the same cluster, chart and programs as the suite, told to a person.
//!
//! Takes nothing from the network and leaves nothing behind: the run's folder is emptied when it begins, and what was started ends
//! with it.

mod narrator;
mod story;

pub use narrator::Narrator;

use crate::{
    chart,
    cluster::Cluster,
    operator::Operator,
    registries::Registries,
    tools::{Progress, Tool, Tools},
    work::Work,
};
use anyhow::Result;

/// What the story has to work with; the operator ends before the cluster does.
pub struct Stage {
    /// The operator, running.
    pub operator: Operator,
    /// Its registries.
    pub registries: Registries,
    /// The cluster.
    pub cluster: Cluster,
}

/// Runs the demo; with `keep`, leaves the cluster up afterwards until Ctrl-C.
///
/// # Errors
/// When a step fails: which, and why.
pub async fn run(keep: bool, progress: Progress) -> Result<()> {
    let mut narrator = Narrator::new();
    let stage = set(&mut narrator, progress).await?;
    story::tell(&mut narrator, &stage).await?;
    narrator.say(&format!("Done in {} s.", narrator.elapsed().as_secs()));
    if keep {
        let kubeconfig = stage.cluster.admin().kubeconfig.display();
        narrator.say(&format!(
            "The cluster stays until Ctrl-C. Look around with\n  export KUBECONFIG={kubeconfig}"
        ));
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Builds, starts and installs what the story needs.
async fn set(narrator: &mut Narrator, progress: Progress) -> Result<Stage> {
    narrator.chapter("A real Kubernetes API server, and Vouchsafe in it");
    let tools = Tools::prepare(&Tool::WITHOUT_NODE, progress)?;
    let cluster = narrator
        .step("starting the control plane", async {
            Cluster::open(tools, Work::take("demo")?).await
        })
        .await?;
    let registries = Registries::reserve(cluster.tools())?;
    narrator.step("installing the chart", chart::install(&cluster)).await?;
    let launch = Operator::launch(&cluster, &registries);
    let operator = narrator.step("starting the operator", launch).await?;
    Ok(Stage {
        operator,
        registries,
        cluster,
    })
}
