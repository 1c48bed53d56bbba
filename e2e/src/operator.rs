//! The operator, as a process that has the token of the chart's service account and nothing else: the chart's RBAC is in force.

use crate::{
    await_::{Look, until},
    chart::{NAME, NAMESPACE},
    cluster::Cluster,
    ports,
    process::{Process, Program, last_lines},
    registries::Registries,
    users::User,
};
use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};
use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

/// How long an agent has to be quiet before a Promotion is made: enough for one `kubectl apply` of many objects.
const QUIET_MILLISECONDS: &str = "500";
/// Longer than any run.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// The operator, while it runs and between.
pub struct Operator {
    program: Program,
    log: PathBuf,
    address: String,
    account: User,
    /// The administrator, where the API server asks the operator to hold pods.
    asked_by: Option<Client>,
    process: Mutex<Option<Process>>,
}

/// Memory of a process in RAM, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// At most, since it started.
    pub most: u64,
}

impl Operator {
    /// Starts the operator of an installed chart; ready when this returns.
    ///
    /// # Errors
    /// When the product was not built, the chart is not installed, or the operator does not get ready.
    pub async fn launch(cluster: &Cluster, registries: &Registries) -> Result<Self> {
        let binary = built_program()?;
        link_plugin(cluster, &binary)?;
        let operator = Self::prepare(cluster, registries, &binary, "operator").await?;
        operator.start().await?;
        Ok(operator)
    }

    /// Makes everything ready to start a program as the operator of this name, and starts nothing.
    ///
    /// # Errors
    /// When the chart is not installed.
    pub async fn prepare(cluster: &Cluster, registries: &Registries, binary: &Path, name: &str) -> Result<Self> {
        let listen = format!("127.0.0.1:{}", ports::free()?);
        let account = cluster.bearer(NAME, &token(cluster).await?).await?;
        let addresses = registries.addresses().collect::<Vec<_>>().join(",");
        let mut program = Program {
            name: name.to_owned(),
            path: binary.to_path_buf(),
            args: vec!["operator".to_owned()],
            env: vec![
                ("KUBECONFIG".to_owned(), account.kubeconfig.clone().into_os_string()),
                ("HOME".to_owned(), cluster.work().home().into_os_string()),
                ("VOUCHSAFE_PLAIN_HTTP_REGISTRIES".to_owned(), addresses.clone().into()),
                ("VOUCHSAFE_PRIVATE_REGISTRIES".to_owned(), addresses.into()),
                ("VOUCHSAFE_QUIET_MILLISECONDS".to_owned(), QUIET_MILLISECONDS.into()),
                ("VOUCHSAFE_LISTEN".to_owned(), listen.clone().into()),
                ("POD_NAMESPACE".to_owned(), NAMESPACE.into()),
                // One that follows a dead one under its name takes over at once, as a container does that is started again.
                ("POD_NAME".to_owned(), name.into()),
            ],
        };
        if let Some(service) = cluster.service() {
            let webhook = format!("127.0.0.1:{}", ports::free()?);
            service.add(&webhook)?;
            program
                .env
                .push(("VOUCHSAFE_WEBHOOK_LISTEN".to_owned(), webhook.into()));
            program
                .env
                .push(("VOUCHSAFE_WEBHOOK_HOST".to_owned(), "127.0.0.1".into()));
        }
        Ok(Self {
            program,
            log: cluster.work().log(name),
            address: listen,
            account,
            asked_by: cluster.service().map(|_| cluster.admin().client.clone()),
            process: Mutex::default(),
        })
    }

    /// The same with one more setting.
    #[must_use]
    pub fn with(mut self, variable: &str, value: &str) -> Self {
        self.program.env.push((variable.to_owned(), value.into()));
        self
    }

    /// The same where the chart has installed no webhook, whatever the cluster was when it started.
    #[must_use]
    pub fn without_webhook(mut self) -> Self {
        self.program
            .env
            .retain(|(variable, _)| !variable.starts_with("VOUCHSAFE_WEBHOOK_"));
        self.asked_by = None;
        self
    }

    /// Starts the operator, and waits until it says that it is ready, and is asked if it has to be.
    ///
    /// # Errors
    /// When it ends or does not get ready, with the end of its log.
    pub async fn start(&self) -> Result<()> {
        let before = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        self.begin(before).await?;
        match &self.asked_by {
            Some(admin) => self.is_asked(admin, before).await,
            None => Ok(()),
        }
    }

    /// Waits until its certificate is shown, and the API server was told whom to trust.
    async fn is_asked(&self, admin: &Client, before: u64) -> Result<()> {
        let configurations: Api<MutatingWebhookConfiguration> = Api::all(admin.clone());
        until("the operator to be asked by the API server", || async {
            if !self
                .said_since(before)?
                .contains("a certificate is shown to the API server")
            {
                return Ok(Look::NotYet(last_lines(&self.log)));
            }
            let found = configurations.get("vouchsafe-hold").await?.webhooks.unwrap_or_default();
            let trusted = found.iter().all(|webhook| webhook.client_config.ca_bundle.is_some());
            Ok(Look::when(found, |found| trusted && !found.is_empty()))
        })
        .await
        .map(drop)
    }

    async fn begin(&self, before: u64) -> Result<()> {
        let process = Process::start(&self.program, &self.log)?;
        *self.process()? = Some(process);
        let ended = until("the operator to be ready", || async {
            if let Some(Err(ended)) = self.process()?.as_mut().map(Process::must_run) {
                return Ok(Look::Seen(Some(ended)));
            }
            let said = self.said_since(before)?;
            Ok(if said.lines().any(says_ready) {
                Look::Seen(None)
            } else {
                Look::NotYet(last_lines(&self.log))
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

    /// Stops it in its tracks, as a machine that hangs would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.process()?.as_ref().context("the operator does not run")?.pause()
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.process()?.as_ref().context("the operator does not run")?.resume()
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// When it was never started.
    pub fn has_ended(&self) -> Result<bool> {
        let mut process = self.process()?;
        let process = process.as_mut().context("the operator does not run")?;
        Ok(process.status()?.is_some())
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ended(&self) -> Result<std::process::ExitStatus> {
        until("the operator to end by itself", || async {
            let mut process = self.process()?;
            let process = process.as_mut().context("the operator does not run")?;
            Ok(process
                .status()?
                .map_or_else(|| Look::NotYet("it still runs".to_owned()), Look::Seen))
        })
        .await
    }

    /// Kills it, and starts it again.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn restart(&self) -> Result<()> {
        self.kill()?;
        self.start().await
    }

    /// Where it tells of its health.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its service account, to look at what it may do.
    #[must_use]
    pub fn account(&self) -> &User {
        &self.account
    }

    /// Its log, one JSON object a line, of every process since the installation.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log(&self) -> Result<String> {
        self.said_since(0)
    }

    /// The memory that it has in RAM, in bytes.
    ///
    /// # Errors
    /// When it does not run, or the machine does not say.
    pub fn resident_bytes(&self) -> Result<u64> {
        Ok(self.memory()?.resident)
    }

    /// Its memory.
    ///
    /// # Errors
    /// When it does not run, or the machine does not say.
    pub fn memory(&self) -> Result<Memory> {
        let status = self.told_by_machine("status")?;
        let bytes = |name: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            kilobytes.map(|kilobytes| kilobytes * 1024)
        };
        let (resident, most) = (bytes("VmRSS"), bytes("VmHWM"));
        let memory = resident.zip(most).map(|(resident, most)| Memory { resident, most });
        memory.context("the machine does not say how much memory the operator has")
    }

    /// Ticks of the clock that it has used the processor for.
    ///
    /// # Errors
    /// When it does not run, or the machine does not say.
    pub fn processor_ticks(&self) -> Result<u64> {
        let stat = self.told_by_machine("stat")?;
        // Its name, in parentheses, may have spaces; after it the 12th and 13th are the time of the program and of the kernel for it.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: Option<Vec<u64>> = fields.skip(11).take(2).map(|field| field.parse().ok()).collect();
        let ticks = ticks.filter(|ticks| ticks.len() == 2);
        let ticks = ticks.context("the machine does not say how long the operator has worked")?;
        Ok(ticks.iter().sum())
    }

    fn told_by_machine(&self, file: &str) -> Result<String> {
        let id = self
            .process()?
            .as_ref()
            .map(Process::id)
            .context("the operator does not run")?;
        std::fs::read_to_string(format!("/proc/{id}/{file}"))
            .context("cannot read what the machine says of the operator")
    }

    fn said_since(&self, offset: u64) -> Result<String> {
        let text = std::fs::read(&self.log).with_context(|| format!("cannot read `{}`", self.log.display()))?;
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(String::from_utf8_lossy(text.get(skipped..).unwrap_or_default()).into_owned())
    }

    fn process(&self) -> Result<std::sync::MutexGuard<'_, Option<Process>>> {
        self.process
            .lock()
            .map_err(|_| anyhow!("a thread panicked while it started or stopped the operator"))
    }
}

/// `event=ready`, in whichever of its two formats it logs.
fn says_ready(line: &str) -> bool {
    line.contains(r#""event":"ready""#) || line.contains(r#"event="ready""#)
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
///
/// # Errors
/// When it was not built.
pub fn built_program() -> Result<PathBuf> {
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
