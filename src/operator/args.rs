//! The operator's flags, and what they mean.

use super::{OperatorError, Settings};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, Client, api::PostParams};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use tokio::net::TcpListener;
use vouchsafe_evidence::{
    credentials::Credentials,
    registry::{Client as Registry, RegistryOptions, Settings as RegistrySettings},
};

/// Flags of `vouchsafe operator`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OperatorArgs {
    /// How long a changed agent has to be quiet before a Promotion is made for it, in milliseconds.
    #[arg(long, default_value_t = 3000, env = "VOUCHSAFE_QUIET_MILLISECONDS")]
    quiet_milliseconds: u64,
    /// The namespace in which the operator probes its own gate.
    #[arg(long, default_value = "vouchsafe-probe", env = "VOUCHSAFE_PROBE_NAMESPACE")]
    probe_namespace: String,
    /// Where /healthz, /readyz and /metrics are answered.
    #[arg(long, default_value = "[::]:8080", env = "VOUCHSAFE_LISTEN", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the webhook is answered that holds what is not cleared, by TLS. Only for an API server that serves no mutating policies.
    #[arg(
        long,
        env = "VOUCHSAFE_WEBHOOK_LISTEN",
        value_name = "ADDRESS",
        requires = "webhook_host"
    )]
    webhook_listen: Option<SocketAddr>,
    /// The name or address by which the API server asks the webhook.
    #[arg(long, env = "VOUCHSAFE_WEBHOOK_HOST", value_name = "NAME", value_parser = host)]
    webhook_host: Option<String>,
    /// The operator's own namespace, where its Lease is.
    #[arg(long, default_value = "vouchsafe-system", env = "POD_NAMESPACE")]
    namespace: String,
    /// What this operator is called among several: the pod's name, or else the machine's name and the process.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    name: Option<String>,
    /// Scheduling gates of others that the installed policies allow: the chart's `policies.allowedSchedulingGates`.
    #[arg(long, value_delimiter = ',', env = "VOUCHSAFE_ALLOWED_SCHEDULING_GATES")]
    allowed_scheduling_gate: Vec<String>,
    /// Registries that are spoken to without TLS, as `host:port`.
    #[arg(long, value_delimiter = ',', env = "VOUCHSAFE_PLAIN_HTTP_REGISTRIES")]
    plain_http_registry: Vec<String>,
    /// Registries that may have loopback, link-local or private addresses, as `host:port`.
    #[arg(long, value_delimiter = ',', env = "VOUCHSAFE_PRIVATE_REGISTRIES")]
    private_registry: Vec<String>,
    /// Certificates (PEM) that a registry's certificate must lead to, as `host:port=FILE`.
    #[arg(long, env = "VOUCHSAFE_REGISTRY_CA")]
    registry_ca: Vec<String>,
    /// A Docker configuration file with credentials for registries.
    #[arg(long, env = "VOUCHSAFE_REGISTRY_CREDENTIALS")]
    registry_credentials: Option<PathBuf>,
}

impl OperatorArgs {
    /// The socket on which health is told.
    pub(super) async fn listen(&self) -> Result<TcpListener, OperatorError> {
        bound(self.listen).await
    }

    /// The socket on which the webhook is answered, where there is one.
    pub(super) async fn webhook(&self) -> Result<Option<TcpListener>, OperatorError> {
        match self.webhook_listen {
            Some(address) => bound(address).await.map(Some),
            None => Ok(None),
        }
    }

    /// A client for registries.
    pub(super) fn registry(&self) -> Result<Registry, OperatorError> {
        let mut settings = RegistrySettings::default();
        let options = |settings: &mut RegistrySettings, name: &str, set: &dyn Fn(&mut RegistryOptions)| {
            set(settings.registries.entry(name.to_owned()).or_default());
        };
        for name in &self.plain_http_registry {
            options(&mut settings, name, &|options| options.plain_http = true);
        }
        for name in &self.private_registry {
            options(&mut settings, name, &|options| options.private_addresses = true);
        }
        for given in &self.registry_ca {
            let wrong = OperatorError::flag("--registry-ca", given);
            let (name, file) = given
                .split_once('=')
                .ok_or("it is not `host:port=FILE`")
                .map_err(wrong)?;
            let certificates = std::fs::read(file).map_err(OperatorError::flag("--registry-ca", given))?;
            options(&mut settings, name, &|options| options.ca = Some(certificates.clone()));
        }
        let named = settings.registries.keys().cloned().collect::<Vec<_>>().join(",");
        Registry::new(settings).map_err(OperatorError::flag("one of the registries", &named))
    }

    /// Credentials for registries.
    pub(super) fn credentials(&self) -> Result<Credentials, OperatorError> {
        let mut credentials = Credentials::anonymous();
        if let Some(file) = &self.registry_credentials {
            let name = file.display().to_string();
            let json = std::fs::read(file).map_err(OperatorError::flag("--registry-credentials", &name))?;
            let added = credentials.add_docker_config(&json);
            added.map_err(OperatorError::flag("--registry-credentials", &name))?;
        }
        Ok(credentials)
    }

    /// The rest; asks the API server who we are.
    pub(super) async fn settings(&self, client: &Client) -> Result<Settings, OperatorError> {
        let reviews = Api::<SelfSubjectReview>::all(client.clone());
        let review = reviews
            .create(&PostParams::default(), &SelfSubjectReview::default())
            .await;
        let review = review.map_err(OperatorError::cluster("the API server does not say who we are"))?;
        let identity = review
            .status
            .and_then(|status| status.user_info)
            .and_then(|user| user.username);
        Ok(Settings {
            quiet: Duration::from_millis(self.quiet_milliseconds),
            identity: identity.ok_or(OperatorError::Cluster {
                what: "the API server does not know who we are",
                source: None,
            })?,
            started: jiff::Timestamp::now().as_second(),
            probe_namespace: self.probe_namespace.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone().unwrap_or_else(|| {
                let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
                format!("{}-{}", machine.trim(), std::process::id())
            }),
            allowed_gates: self.allowed_scheduling_gate.clone(),
            webhook: self.webhook_host.clone().filter(|_| self.webhook_listen.is_some()),
        })
    }
}

/// A name or an address, as it stands in a certificate.
fn host(text: &str) -> Result<String, &'static str> {
    let name = rustls::pki_types::ServerName::try_from(text);
    name.map(|_| text.to_owned())
        .map_err(|_| "this is no name and no address; it has neither port nor brackets")
}

async fn bound(address: SocketAddr) -> Result<TcpListener, OperatorError> {
    let bound = crate::serve::bind(address).await;
    bound.map_err(|source| OperatorError::Listen { address, source })
}
