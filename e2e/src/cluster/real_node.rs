//! A real node on this machine: containerd with runc, the real kubelet and kube-proxy, and a bridge between the pods.
//!
//! Takes the folder of a run; gives command lines and the files that they read. It runs in namespaces of its own (`isolated.rs`), so that
//! nothing of it is seen outside, and all of it ends with them.

use super::plane::{Component, file, kubeconfig_of};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The node's name.
pub const NAME: &str = "real-1";
/// Who the kubelet is to the API server.
pub(super) const USER: &str = "system:node:real-1";
/// The bridge's address: the node's own, at which pods reach the API server.
pub(super) const ADDRESS: &str = "10.88.0.1";
/// Where this machine serves what the node and its pods fetch. Tools take it for a registry of a private network, and speak plain HTTP to it.
pub(crate) const SERVES: &str = "10.99.0.1";
/// The addresses of Services.
pub(crate) const SERVICES: &str = "10.96.0.0/16";
/// The bridge between the pods.
const BRIDGE: &str = "pods0";
const PODS: &str = "10.88.0.0/16";
/// Where containerd, and everybody who talks to it, finds its socket.
const SOCKET: &str = "/run/containerd/containerd.sock";
/// What has to be installed, and the Debian packages that bring it.
const PROGRAMS: [(&str, &str); 4] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
];
/// The network plugins of the Debian package `containernetworking-plugins`.
const PLUGINS: &str = "/usr/lib/cni";

/// What a machine lacks for a real node; empty when it lacks nothing.
#[must_use]
pub fn lacks() -> Vec<String> {
    let missing = PROGRAMS.iter().filter(|(program, _)| installed(program).is_err());
    let mut missing: Vec<String> = missing.map(|(_, package)| (*package).to_owned()).collect();
    if !Path::new(PLUGINS).join("bridge").is_file() {
        missing.push("containernetworking-plugins".to_owned());
    }
    missing
}

/// Where a program of the system is.
pub(super) fn installed(program: &str) -> Result<PathBuf> {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.is_file())
        .with_context(|| format!("`{program}` is not installed"))
}

/// Makes the bridge, and writes what the programs read. `pause` is the image that holds a pod's namespaces, from the one registry that there is.
pub(super) fn prepare(folder: &Path, pause: &str) -> Result<()> {
    for line in [
        format!("link add {BRIDGE} type bridge"),
        format!("addr add {ADDRESS}/16 dev {BRIDGE}"),
        format!("link set {BRIDGE} up"),
    ] {
        ip(&line)?;
    }
    // What is sent from one pod to another, or to a Service, is forwarded by this machine.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("cannot let packets be forwarded")?;
    let network = json!({
        "cniVersion": "1.0.0", "name": "pods", "plugins": [{
            "type": "bridge", "bridge": BRIDGE, "isGateway": true,
            "ipam": {"type": "host-local", "dataDir": file(folder, "addresses"), "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]},
        }],
    });
    let registry = pause.split('/').next().unwrap_or_default();
    let hosts = format!("registries/{registry}");
    for name in ["network", &hosts] {
        fs::create_dir_all(folder.join(name)).with_context(|| format!("no folder `{name}`"))?;
    }
    for (name, text) in [
        ("network/pods.conflist", network.to_string()),
        (&format!("{hosts}/hosts.toml"), plain_http(registry)),
        ("containerd.toml", containerd(folder, pause)),
        ("kubelet.yaml", kubelet_configuration(folder).to_string()),
        ("kube-proxy.yaml", proxy_configuration(folder).to_string()),
    ] {
        fs::write(folder.join(name), text).with_context(|| format!("cannot write `{name}`"))?;
    }
    Ok(())
}

/// Runs `ip`.
pub(crate) fn ip(line: &str) -> Result<()> {
    let output = Command::new(installed("ip")?).args(line.split(' ')).output();
    let output = output.context("cannot start `ip`")?;
    if !output.status.success() {
        bail!("`ip {line}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Pulled from without TLS.
fn plain_http(registry: &str) -> String {
    format!("[host.\"http://{registry}\"]\ncapabilities = [\"pull\", \"resolve\"]\n")
}

fn containerd(folder: &Path, pause: &str) -> String {
    let [root, network, registries] = ["containerd", "network", "registries"].map(|name| file(folder, name));
    format!(
        r#"version = 2
root = "{root}"
state = "/run/containerd"

[grpc]
address = "{SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{PLUGINS}"
conf_dir = "{network}"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{registries}"
"#
    )
}

fn kubelet_configuration(folder: &Path) -> serde_json::Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": false}, "webhook": {"enabled": true}, "x509": {"clientCAFile": file(folder, "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "cgroupDriver": "cgroupfs", "cgroupRoot": format!("/{}", crate::isolated::CONTROL_GROUP), "failCgroupV1": false, "enforceNodeAllocatable": [], "oomScoreAdj": 0, "failSwapOn": false,
        "resolvConf": "",
        // The disk of a test machine may be nearly full, and that is not what is tested.
        "evictionHard": {"imagefs.available": "0%", "nodefs.available": "0%", "imagefs.inodesFree": "0%", "nodefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
        "podLogsDir": file(folder, "pods"),
        "address": "127.0.0.1", "syncFrequency": "10s",
    })
}

fn proxy_configuration(folder: &Path) -> serde_json::Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig_of(Component::Proxy, folder)},
        "mode": "nftables", "clusterCIDR": PODS, "hostnameOverride": NAME,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    })
}

pub(super) fn runtime(folder: &Path) -> Vec<String> {
    vec![format!("--config={}", file(folder, "containerd.toml"))]
}

pub(super) fn kubelet(folder: &Path) -> Vec<String> {
    vec![
        format!("--config={}", file(folder, "kubelet.yaml")),
        format!("--kubeconfig={}", kubeconfig_of(Component::Kubelet, folder)),
        format!("--root-dir={}", file(folder, "kubelet")),
        format!("--cert-dir={}", file(folder, "kubelet-certificates")),
        format!("--hostname-override={NAME}"),
        format!("--node-ip={ADDRESS}"),
    ]
}

pub(super) fn proxy(folder: &Path) -> Vec<String> {
    vec![format!("--config={}", file(folder, "kube-proxy.yaml"))]
}
