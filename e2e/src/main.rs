//! The program `e2e`: the test cluster by itself, the suite, and the demo.

use anyhow::{Context, Result, anyhow};
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use vouchsafe_e2e::{
    bench, checkout, checks,
    cluster::Cluster,
    counts::Counts,
    demo, everything, isolated, manifest, on_node,
    product::{self, Made},
    tools::{Kubernetes, Tool, Tools},
    work::Work,
};

/// Runs Vouchsafe against a real API server.
#[derive(Parser)]
#[command(name = "e2e")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the programs that the test cluster is made of, and prints their folder
    Tools,
    /// Starts a cluster, prints how to use it, and keeps it until Ctrl-C
    Cluster {
        /// The version of the control plane
        #[arg(long, default_value_t)]
        kubernetes: Kubernetes,
    },
    /// Runs the cases of the suite, or those that the words name: by number (`D01`) or by a part of their name
    Suite {
        /// Numbers, or parts of names
        filter: Vec<String>,
        /// Cases that run at the same time
        #[arg(long, default_value_t = 6)]
        width: usize,
        /// The version of the control plane
        #[arg(long, default_value_t)]
        kubernetes: Kubernetes,
    },
    /// Runs the cases on a real node: a kubelet with containers, on this machine, in namespaces of its own
    Node {
        /// Numbers, or parts of names
        filter: Vec<String>,
        /// The version of the control plane; the kubelet stays the pinned one
        #[arg(long, default_value_t)]
        kubernetes: Kubernetes,
    },
    /// Makes the operator's image and its SBOM
    Image {
        /// Where to push it, as host/repository:tag; without, it is written to target/image as an OCI layout
        #[arg(long)]
        to: Option<String>,
    },
    /// Checks format, lints, documentation and dependencies
    Check,
    /// Writes deploy/install/install.yaml anew, from the chart
    Generate,
    /// Runs everything that a change must pass: tests, checks, suite
    Test {
        /// Cases that run at the same time
        #[arg(long, default_value_t = 6)]
        width: usize,
    },
    /// Measures how long the operator takes to start and its memory, with many agents
    Bench {
        /// The operator's program: a release build, or the figures mean little
        #[arg(long)]
        program: PathBuf,
        /// For how many seconds it is watched when it has nothing to do
        #[arg(long, default_value_t = 60)]
        watched: u64,
        /// How many agents; each number is measured in a cluster of its own
        #[arg(default_values_t = [100, 2000])]
        agents: Vec<usize>,
    },
    /// Tells the story of an agent that is held at the door of production, and let in
    Demo {
        /// Leave the cluster up afterwards, until Ctrl-C
        #[arg(long)]
        keep: bool,
    },
}

/// The exit code of what Ctrl-C ended, as shells have it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // A second provider cannot have been installed: this is the first line.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args = Args::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow!(error)),
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = run(args) => result,
            result = interrupted() => result,
        }
    });
    // Ends what tasks still hold, servers among it, before the process does.
    drop(runtime);
    result.unwrap_or_else(|error| failed(&error))
}

#[expect(clippy::print_stdout, reason = "the output is what these commands are for")]
async fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Tools => {
            let tools = Tools::prepare(&Tool::ALL, building)?;
            Tools::gitops(building)?;
            Tools::metrics(building)?;
            println!("{}", tools.folder().display());
        }
        Command::Cluster { kubernetes } => {
            let tools = Tools::prepare(&[Tool::Cluster, Tool::Kwok], building)?;
            let tools = tools.of_kubernetes(kubernetes, building)?;
            let cluster = Cluster::start(tools, Work::take("cluster")?).await?;
            println!("export KUBECONFIG={}", cluster.admin().kubeconfig.display());
            let programs: Vec<_> = cluster
                .tools()
                .folders()
                .map(|folder| folder.display().to_string())
                .collect();
            println!("export PATH={}:$PATH", programs.join(":"));
            eprintln!(
                "the cluster is up, logs in {}; Ctrl-C ends it",
                cluster.work().path("logs").display()
            );
            std::future::pending::<()>().await;
        }
        Command::Image { to } => println!("{}", told(&product::make(to.as_deref(), building).await?)),
        Command::Bench {
            program,
            watched,
            agents,
        } => bench::run(&program, &agents, Duration::from_secs(watched), building).await?,
        Command::Demo { keep } => demo::run(keep, building).await?,
        Command::Suite {
            filter,
            width,
            kubernetes,
        } => {
            let report = everything::cases(&filter, width, kubernetes, building).await?;
            report.sum_up();
            return Ok(close(report.counts()));
        }
        Command::Node { filter, kubernetes } if isolated::is_inside() => {
            let report = on_node::inside(&filter, kubernetes, building).await?;
            report.sum_up();
            return Ok(close(report.counts()));
        }
        Command::Node { filter, kubernetes } => {
            return Ok(close(on_node::run(&filter, kubernetes, building).await?));
        }
        Command::Generate => {
            let tools = Tools::prepare(&[Tool::Helm], building)?;
            println!("{}", manifest::write(&tools).await?.display());
        }
        Command::Check => return Ok(close(checks::run(checkout()).await?)),
        Command::Test { width } => return Ok(close(everything::run(checkout(), width, building).await)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the image is, and how it is signed.
fn told(made: &Made) -> String {
    let sbom = made.sbom.display();
    let mut lines = vec![format!("sbom    {sbom}")];
    if let Some(layout) = &made.layout {
        lines.push(format!("image   {} {}", layout.display(), made.digest));
    }
    if let Some(image) = &made.pushed {
        lines.push(format!("image   {image}"));
        lines.push(format!("sign    cosign sign --key cosign.key {image}"));
        lines.push(format!(
            "attest  cosign attest --key cosign.key --type cyclonedx --predicate {sbom} {image}"
        ));
    }
    lines.join("\n")
}

/// Prints the sum alone on the last line, where programs read it.
#[expect(clippy::print_stdout, reason = "the last line is read by programs")]
fn close(counts: Counts) -> ExitCode {
    println!("{counts}");
    if counts.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn interrupted() -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for an end")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    eprintln!("interrupted: ending what was started");
    Ok(ExitCode::from(INTERRUPTED))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("e2e: {error:#}");
    ExitCode::FAILURE
}

fn building(program: &str, elapsed: Duration) {
    eprintln!("building {program} ({} s)", elapsed.as_secs());
}
