//! The Go programs that the cluster, the suite and the demo run.
//!
//! Takes the Go modules in `e2e/cluster`, `e2e/gitops` and `e2e/metrics`, which pin each of them; gives paths of programs that exist. What is built lies outside the
//! checkout, under `$VOUCHSAFE_CACHE` or `~/.cache/vouchsafe`, in a folder named by what decides the bytes: a changed `go.mod` is
//! another folder, and an old one is never run by mistake. Downloads nothing but Go modules.

mod build;
mod cache;
mod kubernetes;

pub use build::Progress;
pub use cache::cache_root;
pub use kubernetes::Kubernetes;

use anyhow::{Context, Result, bail};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// A program that this project builds from public Go modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    /// etcd, the Kubernetes control plane, kubectl and a registry with the referrers API, as one file.
    Cluster,
    /// Helm.
    Helm,
    /// Fakes nodes, and what a kubelet does to pods.
    Kwok,
    /// Kustomize.
    Kustomize,
    /// Cosign.
    Cosign,
    /// The distribution registry, which does not serve the referrers API.
    Registry,
    /// kubelet and kube-proxy, as one file.
    Node,
    /// The agent that runs on a real node, and the program that holds its pods' namespaces.
    Agent,
    /// Makes images and moves them between registries.
    Crane,
    /// Judges objects as Argo CD and Flux do; from a module of its own, because their dependencies are not those of the rest.
    Gitops,
    /// Reads metrics and asks them PromQL, as Prometheus does; from a module of its own as well.
    Metrics,
}

impl Tool {
    /// What a control plane with fake nodes, the suite and the demo need, most needed first.
    pub const WITHOUT_NODE: [Self; 6] = [
        Self::Cluster,
        Self::Helm,
        Self::Kwok,
        Self::Kustomize,
        Self::Cosign,
        Self::Registry,
    ];

    /// All of the cluster's module.
    pub const ALL: [Self; 9] = [
        Self::Cluster,
        Self::Helm,
        Self::Kwok,
        Self::Kustomize,
        Self::Cosign,
        Self::Registry,
        Self::Node,
        Self::Agent,
        Self::Crane,
    ];

    /// The file's name.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Helm => "helm",
            Self::Kwok => "kwok",
            Self::Kustomize => "kustomize",
            Self::Cosign => "cosign",
            Self::Registry => "registry",
            Self::Node => "node",
            Self::Agent => "agent",
            Self::Crane => "crane",
            Self::Gitops => "gitops",
            Self::Metrics => "metrics",
        }
    }

    /// The Go package that it is built from.
    const fn package(self) -> &'static str {
        match self {
            Self::Cluster | Self::Gitops | Self::Metrics => ".",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::Kwok => "sigs.k8s.io/kwok/cmd/kwok",
            Self::Kustomize => "sigs.k8s.io/kustomize/kustomize/v5",
            Self::Cosign => "github.com/sigstore/cosign/v3/cmd/cosign",
            Self::Registry => "github.com/distribution/distribution/v3/cmd/registry",
            Self::Node => "./node",
            Self::Agent => "./agent",
            Self::Crane => "github.com/google/go-containerregistry/cmd/crane",
        }
    }

    /// Whether it has to run where there is no C library.
    const fn is_static(self) -> bool {
        matches!(self, Self::Agent)
    }

    /// The programs that it becomes when it is called by their name.
    const fn applets(self) -> &'static [&'static str] {
        match self {
            Self::Cluster => &[
                "etcd",
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubectl",
            ],
            Self::Node => &["kubelet", "kube-proxy"],
            _ => &[],
        }
    }
}

/// A folder in which every program lies under its usual name.
#[derive(Debug, Clone)]
pub struct Tools {
    folder: PathBuf,
    assets: Option<PathBuf>,
    plane: Option<PathBuf>,
    kubernetes: Kubernetes,
}

impl Tools {
    /// Builds what is not there yet, and says where everything is. With `KUBEBUILDER_ASSETS` the programs in that folder go before
    /// our own of the same name.
    ///
    /// # Errors
    /// When `go` is missing, a build fails (with its last lines), or the cache cannot be written.
    pub fn prepare(wanted: &[Tool], progress: Progress) -> Result<Self> {
        let assets = std::env::var_os("KUBEBUILDER_ASSETS")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from);
        if let Some(folder) = assets.as_deref().filter(|folder| !folder.is_dir()) {
            bail!("KUBEBUILDER_ASSETS is `{}`, which is not a folder", folder.display());
        }
        let source = Source::of("cluster", &cache::CLUSTER)?;
        Ok(Self {
            folder: source.build(wanted, progress)?,
            assets,
            plane: None,
            kubernetes: Kubernetes::PINNED,
        })
    }

    /// The same, but with the control plane and kubectl of this version; what runs against them stays.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn of_kubernetes(self, kubernetes: Kubernetes, progress: Progress) -> Result<Self> {
        let plane = match kubernetes.definition() {
            None => None,
            Some(definition) => {
                let sums = definition.replace(".mod", ".sum");
                let mut source = Source::of("cluster", &[&definition, &sums, "main.go"])?;
                (source.definition, source.version) = (Some(definition), kubernetes.version);
                Some(source.build(&[Tool::Cluster], progress)?)
            }
        };
        Ok(Self {
            plane,
            kubernetes,
            ..self
        })
    }

    /// The version of the control plane.
    #[must_use]
    pub fn kubernetes(&self) -> Kubernetes {
        self.kubernetes
    }

    /// Builds [`Tool::Gitops`] if it is not there yet, which takes minutes the first time; gives its path.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn gitops(progress: Progress) -> Result<PathBuf> {
        alone(Tool::Gitops, &cache::GITOPS, progress)
    }

    /// The same of [`Tool::Metrics`].
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn metrics(progress: Progress) -> Result<PathBuf> {
        alone(Tool::Metrics, &cache::METRICS, progress)
    }

    /// The path of a program by its usual name: a [`Tool`]'s file, or one of those inside the cluster's.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn path(&self, program: &str) -> Result<PathBuf> {
        self.folders()
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
            .with_context(|| {
                format!(
                    "no program `{program}` in `{}`: was it prepared?",
                    self.folder.display()
                )
            })
    }

    /// A value for `PATH` that finds these programs before any others.
    ///
    /// # Errors
    /// When a folder's name cannot stand in a `PATH`.
    pub fn search_path(&self) -> Result<OsString> {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.folders().map(Path::to_path_buf);
        std::env::join_paths(folders.chain(std::env::split_paths(&inherited))).context("cannot make a PATH")
    }

    /// The folder of what was built here.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where programs lie, those that go before others first.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        let before = [&self.assets, &self.plane];
        before
            .into_iter()
            .filter_map(Option::as_deref)
            .chain(std::iter::once(self.folder.as_path()))
    }
}

/// A program from a module of its own, which has its name.
fn alone(tool: Tool, files: &[&str], progress: Progress) -> Result<PathBuf> {
    let folder = Source::of(tool.file(), files)?.build(&[tool], progress)?;
    Ok(folder.join(tool.file()))
}

/// What programs are built from.
struct Source {
    /// The module's folder.
    module: PathBuf,
    /// The file that pins versions, when it is not `go.mod`.
    definition: Option<String>,
    /// What the programs say that they are.
    version: &'static str,
    /// What decides the bytes.
    files: Vec<String>,
}

impl Source {
    /// A Go module, found from the crate's own place in the checkout.
    fn of(name: &str, files: &[&str]) -> Result<Self> {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if !module.join("go.mod").is_file() {
            bail!("no `go.mod` in `{}`: the suite runs from a checkout", module.display());
        }
        Ok(Self {
            module,
            definition: None,
            version: Kubernetes::PINNED.version,
            files: files.iter().map(|file| (*file).to_owned()).collect(),
        })
    }

    /// Builds what is not there yet; gives the folder.
    fn build(&self, wanted: &[Tool], progress: Progress) -> Result<PathBuf> {
        let folder = cache_root()?.join("bin").join(cache::key(self)?);
        build::all(self, &folder, wanted, progress)?;
        Ok(folder)
    }
}
