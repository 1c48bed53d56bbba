//! The control plane: which processes, with which flags, and when they are ready.

use super::real_node;
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
    /// What runs containers, on a real node.
    Runtime,
    /// What runs pods, on a real node.
    Kubelet,
    /// What makes Services reachable, on a real node.
    Proxy,
}

impl Component {
    /// Those of a cluster with such nodes, in the order in which they start.
    const fn of(nodes: Nodes) -> &'static [Self] {
        match nodes {
            Nodes::Fake => &[
                Self::Etcd,
                Self::ApiServer,
                Self::Controllers,
                Self::Scheduler,
                Self::Nodes,
            ],
            Nodes::Real => &[
                Self::Etcd,
                Self::ApiServer,
                Self::Controllers,
                Self::Scheduler,
                Self::Runtime,
                Self::Kubelet,
                Self::Proxy,
            ],
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::Controllers => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Nodes => "kwok",
            Self::Runtime => "containerd",
            Self::Kubelet => "kubelet",
            Self::Proxy => "kube-proxy",
        }
    }

    /// Who it is to the API server.
    const fn user(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Etcd | Self::ApiServer | Self::Runtime => None,
            Self::Controllers => Some(("system:kube-controller-manager", &[])),
            Self::Scheduler => Some(("system:kube-scheduler", &[])),
            Self::Nodes => Some(("kwok", &["system:masters"])),
            Self::Kubelet => Some((real_node::USER, &["system:nodes"])),
            Self::Proxy => Some(("system:kube-proxy", &[])),
        }
    }
}

/// The API server's own Service: the first address of its range.
const SERVICE: &str = "10.96.0.1";
/// Where the API server writes what the operator asked of it, from the run's folder.
pub(super) const AUDIT_LOG: &str = "logs/audit.log";
/// What is written: of each request of the operator, what it was and by which right it was allowed.
const AUDIT: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, users: ['system:serviceaccount:vouchsafe-system:vouchsafe']}
- {level: None}
";
/// Requests a second that a controller may make: enough for many cases side by side.
const QPS: &str = "--kube-api-qps=500";
/// The same, for a moment.
const BURST: &str = "--kube-api-burst=1000";

/// What runs the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nodes {
    /// Nobody: what a kubelet would report is reported.
    Fake,
    /// A kubelet with a container runtime, on this machine.
    Real,
}

/// The processes of a control plane.
pub(super) struct Plane {
    nodes: Nodes,
    authority: Authority,
    server: Server,
    programs: BTreeMap<Component, Program>,
    running: Mutex<BTreeMap<Component, Process>>,
    logs: PathBuf,
}

impl Plane {
    /// Makes keys, certificates, ports and command lines, and starts nothing.
    pub(super) fn prepare(nodes: Nodes, tools: &Tools, work: &Work) -> Result<Self> {
        let authority = Authority::new()?;
        let (store, peer, port) = (ports::free()?, ports::free()?, ports::free()?);
        let server = Server {
            url: format!("https://127.0.0.1:{port}"),
            authority: authority.certificate().to_owned(),
        };
        write_keys(&authority, work.folder())?;
        write_kubeconfigs(nodes, &authority, &server, work.folder())?;
        std::fs::write(work.path("audit.yaml"), AUDIT).context("cannot write the audit policy")?;
        let mut programs = BTreeMap::new();
        for component in Component::of(nodes).iter().copied() {
            let args = match component {
                Component::Etcd => etcd(work.folder(), store, peer),
                Component::ApiServer => {
                    let flags = tools.kubernetes().api_server_flags().iter().copied();
                    let mut args = api_server(nodes, work.folder(), store, port);
                    args.extend(flags.map(str::to_owned));
                    args
                }
                Component::Controllers => controllers(work.folder()),
                Component::Scheduler => scheduler(work.folder()),
                Component::Nodes => fake_nodes(work.folder()),
                Component::Runtime => real_node::runtime(work.folder()),
                Component::Kubelet => real_node::kubelet(work.folder()),
                Component::Proxy => real_node::proxy(work.folder()),
            };
            let path = match component {
                Component::Runtime => real_node::installed(component.program())?,
                _ => tools.path(component.program())?,
            };
            let program = Program {
                name: component.program().to_owned(),
                path,
                args,
                env: vec![("HOME".to_owned(), work.home().into_os_string())],
            };
            programs.insert(component, program);
        }
        Ok(Self {
            nodes,
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
        let rest = Component::of(self.nodes).iter().skip(2);
        rest.into_iter().try_for_each(|component| self.launch(*component))
    }

    /// Starts one.
    pub(super) fn launch(&self, component: Component) -> Result<()> {
        let program = self
            .programs
            .get(&component)
            .with_context(|| format!("no program for {component:?}"))?;
        self.start_program(component, program)
    }

    fn start_program(&self, component: Component, program: &Program) -> Result<()> {
        let process = Process::start(program, &self.logs.join(format!("{}.log", program.name)))?;
        self.running()?.insert(component, process);
        Ok(())
    }

    /// Starts one with more arguments, until it is launched again.
    pub(super) fn launch_with(&self, component: Component, more: &[&str]) -> Result<()> {
        let program = self
            .programs
            .get(&component)
            .with_context(|| format!("no program for {component:?}"))?;
        let mut program = program.clone();
        program.args.extend(more.iter().map(|arg| (*arg).to_owned()));
        self.start_program(component, &program)
    }

    /// Kills one.
    pub(super) fn kill(&self, component: Component) -> Result<()> {
        drop(self.running()?.remove(&component));
        Ok(())
    }

    /// Kills all, from last to first.
    pub(super) fn kill_all(&self) -> Result<()> {
        let mut running = self.running()?;
        while running.pop_last().is_some() {}
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
            for component in Component::of(self.nodes).iter().rev() {
                running.remove(component);
            }
        }
    }
}

fn write_keys(authority: &Authority, folder: &Path) -> Result<()> {
    let names = [
        "127.0.0.1",
        real_node::ADDRESS,
        SERVICE,
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ];
    let server = authority.server(&names)?;
    let client = authority.user("kube-apiserver-kubelet-client", &["system:masters"])?;
    let accounts = rcgen::KeyPair::generate().context("cannot make the key of service accounts")?;
    for (name, text) in [
        ("ca.crt", authority.certificate().to_owned()),
        ("server.crt", server.certificate),
        ("server.key", server.key),
        ("client.crt", client.certificate),
        ("client.key", client.key),
        ("accounts.key", accounts.serialize_pem()),
        ("accounts.pub", accounts.public_key_pem()),
    ] {
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write `{name}`"))?;
    }
    Ok(())
}

fn write_kubeconfigs(nodes: Nodes, authority: &Authority, server: &Server, folder: &Path) -> Result<()> {
    for component in Component::of(nodes).iter().copied() {
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

pub(super) fn kubeconfig_of(component: Component, folder: &Path) -> String {
    file(folder, &format!("{}.kubeconfig", component.program()))
}

pub(super) fn file(folder: &Path, name: &str) -> String {
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

fn api_server(nodes: Nodes, folder: &Path, store: u16, port: u16) -> Vec<String> {
    let reached = match nodes {
        // An address of the loopback interface cannot be an endpoint of the `kubernetes` service.
        Nodes::Fake => vec![
            "--bind-address=127.0.0.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
        ],
        Nodes::Real => vec![
            "--bind-address=0.0.0.0".to_owned(),
            format!("--advertise-address={}", real_node::ADDRESS),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            format!("--kubelet-client-certificate={}", file(folder, "client.crt")),
            format!("--kubelet-client-key={}", file(folder, "client.key")),
        ],
    };
    let common = [
        format!("--etcd-servers=http://127.0.0.1:{store}"),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", file(folder, "server.crt")),
        format!("--tls-private-key-file={}", file(folder, "server.key")),
        format!("--client-ca-file={}", file(folder, "ca.crt")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file(folder, "accounts.pub")),
        format!("--service-account-signing-key-file={}", file(folder, "accounts.key")),
        format!("--service-cluster-ip-range={}", real_node::SERVICES),
        "--allow-privileged=true".to_owned(),
        "--profiling=false".to_owned(),
        format!("--audit-policy-file={}", file(folder, "audit.yaml")),
        format!("--audit-log-path={}", file(folder, AUDIT_LOG)),
        "--audit-log-mode=batch".to_owned(),
        "--audit-log-maxsize=2000".to_owned(),
        "--audit-log-batch-max-wait=1s".to_owned(),
    ];
    common.into_iter().chain(reached).collect()
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

fn fake_nodes(folder: &Path) -> Vec<String> {
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
