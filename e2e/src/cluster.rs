//! A real cluster to run against: the one of `KUBECONFIG`, or a control plane of our own on the loopback interface.
//!
//! Takes the built programs and a folder; gives an administrator, users with any groups, and, for our own, the means to kill and
//! restart each component. What was started is ended when the value goes away.

mod nodes;
mod plane;
pub mod real_node;

pub use plane::Component;

use crate::{
    authority::Identity,
    kubeconfig::{self, Proof},
    service::Service,
    tools::{Kubernetes, Tools},
    users::{Environment, Grants, User},
    work::Work,
};
use anyhow::{Context, Result, bail};
use kube::{
    Client,
    config::{AuthInfo, Kubeconfig},
};
use plane::{Nodes, Plane};
use std::{
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// The group that every right belongs to.
const MASTERS: &str = "system:masters";

/// A cluster that answers.
pub struct Cluster {
    work: Work,
    tools: Tools,
    identities: Identities,
    service: Option<Service>,
    admin: User,
    users: AtomicU32,
}

/// How users come to be.
enum Identities {
    /// By certificates of our own authority.
    Ours(Box<Plane>),
    /// By impersonation, with the rights of the caller's kubeconfig.
    Theirs(Box<Kubeconfig>),
}

impl Cluster {
    /// The cluster that the caller chose: with `DEMO_CLUSTER` or `E2E_CLUSTER` set to `current`, the one of `KUBECONFIG`; else our own.
    ///
    /// # Errors
    /// When the variable says something else, or the cluster does not come up.
    pub async fn open(tools: Tools, work: Work) -> Result<Self> {
        for name in ["DEMO_CLUSTER", "E2E_CLUSTER"] {
            match std::env::var(name).as_deref() {
                Ok("current") => return Self::current(tools, work).await,
                Ok("own" | "") | Err(_) => {}
                Ok(other) => bail!("{name} is `{other}`; it can be `current` (the cluster of KUBECONFIG) or `own`"),
            }
        }
        Self::start(tools, work).await
    }

    /// A control plane of our own with fake nodes, ready to run pods.
    ///
    /// # Errors
    /// When a component ends or does not get ready, with the end of its log.
    pub async fn start(tools: Tools, work: Work) -> Result<Self> {
        Self::start_with(Nodes::Fake, tools, work).await
    }

    /// A control plane of our own with one real node, this machine. `pause` is the image that holds a pod's namespaces. Has to be called in
    /// namespaces of our own: see [`crate::isolated`].
    ///
    /// # Errors
    /// When a component ends or does not get ready, with the end of its log.
    pub async fn start_on_this_machine(tools: Tools, work: Work, pause: &str) -> Result<Self> {
        real_node::prepare(work.folder(), pause)?;
        Self::start_with(Nodes::Real, tools, work).await
    }

    async fn start_with(nodes: Nodes, tools: Tools, work: Work) -> Result<Self> {
        let plane = Plane::prepare(nodes, &tools, &work)?;
        let path = work.path("admin.kubeconfig");
        let admin = plane.authority().user("admin", &[MASTERS])?;
        kubeconfig::write(&path, &plane.server().kubeconfig("admin", Proof::Certificate(&admin)))?;
        let client = kubeconfig::client(&path).await?;
        plane.start(&client).await?;
        if nodes == Nodes::Fake {
            nodes::create(&client).await?;
        }
        nodes::await_ready(&client, &plane).await?;
        let admin = user("admin", &[MASTERS], client, path, &tools, &work)?;
        // On a real node there is a real one.
        let is_needed = nodes == Nodes::Fake && !tools.kubernetes().serves_mutations();
        let service = if is_needed { Some(Service::start().await?) } else { None };
        Ok(Self {
            work,
            tools,
            identities: Identities::Ours(Box::new(plane)),
            service,
            admin,
            users: AtomicU32::new(0),
        })
    }

    /// The cluster of `KUBECONFIG`, as it is.
    ///
    /// # Errors
    /// When there is no kubeconfig, or the cluster does not answer.
    pub async fn current(tools: Tools, work: Work) -> Result<Self> {
        let found = Kubeconfig::read().context("no usable kubeconfig, and the current cluster was asked for")?;
        let path = work.path("admin.kubeconfig");
        kubeconfig::write(
            &path,
            &serde_json::to_value(&found).context("cannot copy the kubeconfig")?,
        )?;
        let client = kubeconfig::client(&path).await?;
        client
            .apiserver_version()
            .await
            .context("the current cluster does not answer")?;
        let admin = user("admin", &[], client, path, &tools, &work)?;
        Ok(Self {
            work,
            tools,
            identities: Identities::Theirs(Box::new(found)),
            service: None,
            admin,
            users: AtomicU32::new(0),
        })
    }

    /// The administrator.
    #[must_use]
    pub fn admin(&self) -> &User {
        &self.admin
    }

    /// What the API server asks to hold pods, in front of every operator that runs as a process; none where it holds them itself.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        self.service.as_ref()
    }

    /// Gives rights to users.
    #[must_use]
    pub fn grants(&self) -> Grants {
        Grants::new(self.admin.client.clone())
    }

    /// Somebody with this name in these groups, and no rights of their own.
    ///
    /// # Errors
    /// When the identity cannot be made.
    pub async fn user(&self, name: &str, groups: &[&str]) -> Result<User> {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        let path = self.work.path(&format!("user-{number}.kubeconfig"));
        let value = match &self.identities {
            Identities::Ours(plane) => {
                let identity = plane.authority().user(name, groups)?;
                plane.server().kubeconfig(name, Proof::Certificate(&identity))
            }
            Identities::Theirs(found) => impersonating((**found).clone(), name, groups)?,
        };
        kubeconfig::write(&path, &value)?;
        let client = kubeconfig::client(&path).await?;
        user(name, groups, client, path, &self.tools, &self.work)
    }

    /// Somebody who holds this bearer token.
    ///
    /// # Errors
    /// When the kubeconfig cannot be made.
    pub async fn bearer(&self, name: &str, token: &str) -> Result<User> {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        let path = self.work.path(&format!("bearer-{number}.kubeconfig"));
        let value = match &self.identities {
            Identities::Ours(plane) => plane.server().kubeconfig(name, Proof::Token(token)),
            Identities::Theirs(found) => with_token((**found).clone(), token)?,
        };
        kubeconfig::write(&path, &value)?;
        let client = kubeconfig::client(&path).await?;
        user(name, &[], client, path, &self.tools, &self.work)
    }

    /// What a server on the loopback interface shows, and the certificate (PEM) that the API server has to trust for it.
    ///
    /// # Errors
    /// When the cluster is not ours.
    pub fn server(&self) -> Result<(Identity, String)> {
        let authority = self.plane()?.authority();
        Ok((authority.server(&["127.0.0.1"])?, authority.certificate().to_owned()))
    }

    /// Whether components can be killed and restarted.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self.identities, Identities::Ours(_))
    }

    /// Kills a component at once, as a crash would.
    ///
    /// # Errors
    /// When the cluster is not ours.
    pub fn kill(&self, component: Component) -> Result<()> {
        self.plane()?.kill(component)
    }

    /// Starts a component again that was killed, and waits until the API server is ready.
    ///
    /// # Errors
    /// When the cluster is not ours, or the component does not come up.
    pub async fn launch(&self, component: Component) -> Result<()> {
        let plane = self.plane()?;
        plane.launch(component)?;
        plane.await_ready(&self.admin.client).await
    }

    /// Kills the API server, and starts it again until it is ready.
    ///
    /// # Errors
    /// When the cluster is not ours, or it does not come up.
    pub async fn restart_api_server(&self) -> Result<()> {
        self.kill(Component::ApiServer)?;
        self.launch(Component::ApiServer).await
    }

    /// Kills the API server, and starts it again so that it serves mutating policies as a beta.
    ///
    /// # Errors
    /// When the cluster is not ours, or it does not come up.
    pub async fn turn_mutations_on(&self) -> Result<()> {
        let plane = self.plane()?;
        plane.kill(Component::ApiServer)?;
        plane.launch_with(Component::ApiServer, Kubernetes::BETA_ON)?;
        plane.await_ready(&self.admin.client).await
    }

    /// Kills everything, does something with the folder in which etcd keeps what is stored, and starts everything again.
    ///
    /// # Errors
    /// When the cluster is not ours, that fails, or it does not come up.
    pub async fn while_down(&self, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let plane = self.plane()?;
        plane.kill_all()?;
        work(&self.work.path("etcd"))?;
        plane.start(&self.admin.client).await
    }

    /// What the operator asked of the API server, as audit events, one a line: what was written from this place on, and where it ends.
    ///
    /// # Errors
    /// When the cluster is not ours, or nothing was written.
    pub fn audit_log(&self, from: u64) -> Result<(String, u64)> {
        self.plane()?;
        let path = self.work.path(plane::AUDIT_LOG);
        let told = || format!("cannot read `{}`", path.display());
        let mut file = std::fs::File::open(&path).with_context(told)?;
        file.seek(SeekFrom::Start(from)).with_context(told)?;
        let mut written = Vec::new();
        file.read_to_end(&mut written).with_context(told)?;
        let end = from.saturating_add(u64::try_from(written.len()).unwrap_or_default());
        Ok((String::from_utf8_lossy(&written).into_owned(), end))
    }

    /// The programs that go with this cluster.
    #[must_use]
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The folder of this run.
    #[must_use]
    pub fn work(&self) -> &Work {
        &self.work
    }

    fn plane(&self) -> Result<&Plane> {
        match &self.identities {
            Identities::Ours(plane) => Ok(plane),
            Identities::Theirs(_) => bail!("the components of a cluster that is not ours are left alone"),
        }
    }
}

fn user(name: &str, groups: &[&str], client: Client, kubeconfig: PathBuf, tools: &Tools, work: &Work) -> Result<User> {
    Ok(User {
        name: name.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        client,
        kubeconfig,
        environment: Environment {
            kubectl: tools.path("kubectl")?,
            search_path: search_path(tools, work.folder())?,
            home: work.home(),
        },
    })
}

/// The programs of the run's folder (kubectl's plugin among them), then the built ones, then the machine's.
fn search_path(tools: &Tools, work: &Path) -> Result<std::ffi::OsString> {
    let inherited = tools.search_path()?;
    let folders = std::iter::once(work.join("bin")).chain(std::env::split_paths(&inherited));
    std::env::join_paths(folders).context("cannot make a PATH")
}

fn impersonating(mut found: Kubeconfig, name: &str, groups: &[&str]) -> Result<serde_json::Value> {
    for user in &mut found.auth_infos {
        let auth = user.auth_info.get_or_insert_with(AuthInfo::default);
        auth.impersonate = Some(name.to_owned());
        auth.impersonate_groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
    }
    serde_json::to_value(&found).context("cannot write a kubeconfig")
}

fn with_token(mut found: Kubeconfig, token: &str) -> Result<serde_json::Value> {
    for user in &mut found.auth_infos {
        user.auth_info = Some(AuthInfo {
            token: Some(token.to_owned().into()),
            ..AuthInfo::default()
        });
    }
    serde_json::to_value(&found).context("cannot write a kubeconfig")
}
