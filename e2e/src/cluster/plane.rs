//! The control plane: which processes, with which flags, and when they are ready.

use crate::{
    authority::Authority,
    await_::{Look, until},
    kubeconfig::{self, Proof, Server},
    ports,
    process::{Process, Program},
    tools::Tools,
    work::Work,
};
use anyhow::{Context, Result, anyhow};
use kube::Client;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// A part of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers of Kubernetes.
    Controllers,
    /// The scheduler.
    Scheduler,
    /// What plays the nodes.
    Nodes,
}

impl Component {
    /// In the order in which they start.
    const ALL: [Self; 5] = [
        Self::Etcd,
        Self::ApiServer,
        Self::Controllers,
        Self::Scheduler,
        Self::Nodes,
    ];

    const fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::Controllers => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Nodes => "kwok",
        }
    }

    /// Who it is to the API server.
    const fn user(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Etcd | Self::ApiServer => None,
            Self::Controllers => Some(("system:kube-controller-manager", &[])),
            Self::Scheduler => Some(("system:kube-scheduler", &[])),
            Self::Nodes => Some(("kwok", &["system:masters"])),
        }
    }
}

/// Requests a second that a controller may make: enough for many cases side by side.
const QPS: &str = "--kube-api-qps=500";
/// The same, for a moment.
const BURST: &str = "--kube-api-burst=1000";

/// The processes of a control plane.
pub(super) struct Plane {
    authority: Authority,
    server: Server,
    programs: BTreeMap<Component, Program>,
    running: Mutex<BTreeMap<Component, Process>>,
    logs: PathBuf,
}

impl Plane {
    /// Makes keys, certificates, ports and command lines, and starts nothing.
    pub(super) fn prepare(tools: &Tools, work: &Work) -> Result<Self> {
        let authority = Authority::new()?;
        let (store, peer, port) = (ports::free()?, ports::free()?, ports::free()?);
        let server = Server {
            url: format!("https://127.0.0.1:{port}"),
            authority: authority.certificate().to_owned(),
        };
        write_keys(&authority, work.folder())?;
        write_kubeconfigs(&authority, &server, work.folder())?;
        let mut programs = BTreeMap::new();
        for component in Component::ALL {
            let args = match component {
                Component::Etcd => etcd(work.folder(), store, peer),
                Component::ApiServer => api_server(work.folder(), store, port),
                Component::Controllers => controllers(work.folder()),
                Component::Scheduler => scheduler(work.folder()),
                Component::Nodes => nodes(work.folder()),
            };
            let program = Program {
                name: component.program().to_owned(),
                path: tools.path(component.program())?,
                args,
                env: vec![("HOME".to_owned(), work.home().into_os_string())],
            };
            programs.insert(component, program);
        }
        Ok(Self {
            authority,
            server,
            programs,
            running: Mutex::default(),
            logs: work.path("logs"),
        })
    }

    /// Starts everything, each once what it needs is there.
    pub(super) async fn start(&self, admin: &Client) -> Result<()> {
        self.launch(Component::Etcd)?;
        self.launch(Component::ApiServer)?;
        self.await_ready(admin).await?;
        self.launch(Component::Controllers)?;
        self.launch(Component::Scheduler)?;
        self.launch(Component::Nodes)
    }

    /// Starts one.
    pub(super) fn launch(&self, component: Component) -> Result<()> {
        let program = self
            .programs
            .get(&component)
            .with_context(|| format!("no program for {component:?}"))?;
        let process = Process::start(program, &self.logs.join(format!("{}.log", program.name)))?;
        self.running()?.insert(component, process);
        Ok(())
    }

    /// Kills one.
    pub(super) fn kill(&self, component: Component) -> Result<()> {
        drop(self.running()?.remove(&component));
        Ok(())
    }

    /// Waits until the API server says that it is ready, and fails at once when a component has ended.
    pub(super) async fn await_ready(&self, admin: &Client) -> Result<()> {
        let ended = until("the API server to be ready", || async {
            if let Err(ended) = self.all_must_run() {
                return Ok(Look::Seen(Some(ended)));
            }
            let request = hyper::Request::get("/readyz")
                .body(Vec::new())
                .context("cannot ask for readiness")?;
            admin.request_text(request).await.context("not ready")?;
            Ok(Look::Seen(None))
        })
        .await?;
        ended.map_or(Ok(()), Err)
    }

    /// Fails when a component has ended.
    pub(super) fn all_must_run(&self) -> Result<()> {
        self.running()?.values_mut().try_for_each(Process::must_run)
    }

    fn running(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<Component, Process>>> {
        self.running
            .lock()
            .map_err(|_| anyhow!("a thread panicked while it started or stopped a component"))
    }

    /// Who signs certificates.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Where the API server is.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }
}

impl Drop for Plane {
    /// From last to first, so that none logs that another is gone.
    fn drop(&mut self) {
        if let Ok(running) = self.running.get_mut() {
            for component in Component::ALL.iter().rev() {
                running.remove(component);
            }
        }
    }
}

fn write_keys(authority: &Authority, folder: &Path) -> Result<()> {
    let names = [
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ];
    let server = authority.server(&names)?;
    let accounts = rcgen::KeyPair::generate().context("cannot make the key of service accounts")?;
    for (name, text) in [
        ("ca.crt", authority.certificate().to_owned()),
        ("server.crt", server.certificate),
        ("server.key", server.key),
        ("accounts.key", accounts.serialize_pem()),
        ("accounts.pub", accounts.public_key_pem()),
    ] {
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write `{name}`"))?;
    }
    Ok(())
}

fn write_kubeconfigs(authority: &Authority, server: &Server, folder: &Path) -> Result<()> {
    for component in Component::ALL {
        if let Some((user, groups)) = component.user() {
            let identity = authority.user(user, groups)?;
            let path = kubeconfig_of(component, folder);
            kubeconfig::write(
                Path::new(&path),
                &server.kubeconfig(user, Proof::Certificate(&identity)),
            )?;
        }
    }
    Ok(())
}

fn kubeconfig_of(component: Component, folder: &Path) -> String {
    file(folder, &format!("{}.kubeconfig", component.program()))
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn etcd(folder: &Path, clients: u16, peers: u16) -> Vec<String> {
    vec![
        "--unsafe-no-fsync".to_owned(),
        format!("--data-dir={}", file(folder, "etcd")),
        format!("--listen-client-urls=http://127.0.0.1:{clients}"),
        format!("--advertise-client-urls=http://127.0.0.1:{clients}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peers}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peers}"),
        format!("--initial-cluster=default=http://127.0.0.1:{peers}"),
        "--log-level=warn".to_owned(),
    ]
}

fn api_server(folder: &Path, store: u16, port: u16) -> Vec<String> {
    vec![
        format!("--etcd-servers=http://127.0.0.1:{store}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        // An address of the loopback interface cannot be an endpoint of the `kubernetes` service.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--tls-cert-file={}", file(folder, "server.crt")),
        format!("--tls-private-key-file={}", file(folder, "server.key")),
        format!("--client-ca-file={}", file(folder, "ca.crt")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file(folder, "accounts.pub")),
        format!("--service-account-signing-key-file={}", file(folder, "accounts.key")),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

fn controllers(folder: &Path) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig_of(Component::Controllers, folder)),
        format!("--service-account-private-key-file={}", file(folder, "accounts.key")),
        format!("--root-ca-file={}", file(folder, "ca.crt")),
        "--use-service-account-credentials=true".to_owned(),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        QPS.to_owned(),
        BURST.to_owned(),
    ]
}

fn scheduler(folder: &Path) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig_of(Component::Scheduler, folder)),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        QPS.to_owned(),
        BURST.to_owned(),
    ]
}

fn nodes(folder: &Path) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig_of(Component::Nodes, folder)),
        format!(
            "--config={}",
            concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/stages.yaml")
        ),
        "--manage-all-nodes=true".to_owned(),
        "--node-lease-duration-seconds=40".to_owned(),
        "--cidr=10.244.0.0/16".to_owned(),
    ]
}
