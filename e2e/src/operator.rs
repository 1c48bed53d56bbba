//! The product, installed as users install it: the chart by the real helm, and the operator as a process that has the token of the
//! chart's service account and nothing else.
//!
//! The chart's Deployment has no replicas here, because its image would have to be pulled; everything else of the chart is in force,
//! the operator's RBAC above all.

use crate::{
    await_::{Look, until},
    cluster::Cluster,
    helm::Helm,
    ports,
    process::{Process, Program},
    users::User,
    web,
};
use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, api::PostParams};
use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Where it is installed.
pub const NAMESPACE: &str = "vouchsafe-system";
/// The release's name, and that of the service account.
const NAME: &str = "vouchsafe";
/// Longer than any run.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// The installed product, and its operator while that runs.
pub struct Operator {
    program: Program,
    log: PathBuf,
    health: String,
    account: User,
    process: Mutex<Option<Process>>,
}

impl Operator {
    /// Installs the chart and starts the operator; ready when this returns.
    ///
    /// # Errors
    /// When the product was not built, helm fails, or the operator does not get ready.
    pub async fn install(cluster: &Cluster) -> Result<Self> {
        let binary = built_program()?;
        link_plugin(cluster, &binary)?;
        install_chart(cluster).await?;
        let operator = Self::prepare(cluster, &binary).await?;
        operator.start().await?;
        Ok(operator)
    }

    async fn prepare(cluster: &Cluster, binary: &Path) -> Result<Self> {
        let account = cluster.bearer(NAME, &token(cluster).await?).await?;
        let health = format!("127.0.0.1:{}", ports::free()?);
        let program = Program {
            name: "operator".to_owned(),
            path: binary.to_path_buf(),
            args: vec!["operator".to_owned()],
            env: vec![
                ("KUBECONFIG".to_owned(), account.kubeconfig.clone().into_os_string()),
                ("HOME".to_owned(), cluster.work().home().into_os_string()),
                ("VOUCHSAFE_LISTEN".to_owned(), health.clone().into()),
                ("POD_NAMESPACE".to_owned(), NAMESPACE.into()),
            ],
        };
        Ok(Self {
            program,
            log: cluster.work().log("operator"),
            health,
            account,
            process: Mutex::default(),
        })
    }

    /// Starts the operator, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or does not get ready, with the end of its log.
    pub async fn start(&self) -> Result<()> {
        let process = Process::start(&self.program, &self.log)?;
        *self.process()? = Some(process);
        let url = format!("http://{}/readyz", self.health);
        let ended = until("the operator to be ready", || async {
            if let Some(Err(ended)) = self.process()?.as_mut().map(Process::must_run) {
                return Ok(Look::Seen(Some(ended)));
            }
            let answer = web::get(&url).await?;
            Ok(if answer.status.is_success() {
                Look::Seen(None)
            } else {
                Look::NotYet(format!("{}: {}", answer.status, answer.text()))
            })
        })
        .await?;
        ended.map_or(Ok(()), Err)
    }

    /// Kills it at once, as `kill -9` and a dead node do.
    ///
    /// # Errors
    /// Never, unless a thread panicked while it did the same.
    pub fn kill(&self) -> Result<()> {
        drop(self.process()?.take());
        Ok(())
    }

    /// Asks it to end, as a rollout does.
    ///
    /// # Errors
    /// When it does not end by itself, or with an error.
    pub async fn stop(&self) -> Result<()> {
        let Some(mut process) = self.process()?.take() else {
            return Ok(());
        };
        let status = process.end().await?;
        if status.success() {
            Ok(())
        } else {
            bail!("the operator ended with {status} when it was asked to end")
        }
    }

    /// Kills it, and starts it again.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn restart(&self) -> Result<()> {
        self.kill()?;
        self.start().await
    }

    /// Its service account, to look at what it may do.
    #[must_use]
    pub fn account(&self) -> &User {
        &self.account
    }

    /// Its log, one JSON object a line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| format!("cannot read `{}`", self.log.display()))
    }

    /// Its process id while it runs, for its memory.
    ///
    /// # Errors
    /// When it does not run.
    pub fn id(&self) -> Result<u32> {
        self.process()?
            .as_ref()
            .map(Process::id)
            .context("the operator does not run")
    }

    /// What it measures, in the text format of Prometheus.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metrics(&self) -> Result<String> {
        Ok(web::get(&format!("http://{}/metrics", self.health)).await?.text())
    }

    fn process(&self) -> Result<std::sync::MutexGuard<'_, Option<Process>>> {
        self.process
            .lock()
            .map_err(|_| anyhow!("a thread panicked while it started or stopped the operator"))
    }
}

async fn install_chart(cluster: &Cluster) -> Result<()> {
    let chart = crate::checkout().join("charts").join("vouchsafe").display().to_string();
    let helm = Helm::new(cluster.tools())?;
    let args = [
        "upgrade",
        "--install",
        NAME,
        &chart,
        "-n",
        NAMESPACE,
        "--create-namespace",
        "--set",
        "replicas=0",
    ];
    helm.run(cluster.admin(), args)
        .must()
        .await
        .context("cannot install the chart")?;
    Ok(())
}

/// A token of the chart's service account, as the kubelet would mount it.
async fn token(cluster: &Cluster) -> Result<String> {
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(TOKEN_SECONDS),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.admin().client.clone(), NAMESPACE);
    let answer = accounts
        .create_token_request(NAME, &PostParams::default(), &request)
        .await
        .with_context(|| format!("no token for the service account `{NAME}`"))?;
    answer
        .status
        .map(|status| status.token)
        .context("the token request has no answer")
}

/// The product beside this very program, which one `cargo build` makes both of.
fn built_program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program")?;
    let folder = own.parent().context("this program lies in no folder")?;
    let binary = folder.join("vouchsafe");
    if !binary.is_file() {
        bail!("`{}` is not there: run `cargo build --workspace`", binary.display());
    }
    Ok(binary)
}

/// kubectl finds its plugins in the `PATH`, by name.
fn link_plugin(cluster: &Cluster, binary: &Path) -> Result<()> {
    let folder = cluster.work().path("bin");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for name in ["vouchsafe", "kubectl-vouchsafe"] {
        let link = folder.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(binary, &link).with_context(|| format!("cannot link `{}`", link.display()))?;
        }
    }
    Ok(())
}
