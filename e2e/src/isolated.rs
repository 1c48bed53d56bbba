//! Namespaces of our own: this program once more, with its own network, mounts and process ids.
//!
//! What a real node does to a machine (bridges, mounts, packet filters, containers) stays inside, and ends when the first process does.

use crate::cluster::real_node;
use crate::counts::Counts;
use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tokio::io::{AsyncBufReadExt, BufReader};

/// What a machine without the right kernel refuses.
const TRIAL: &str = "ip link add try0 type bridge && nft list ruleset && test -d /sys/fs/cgroup";
/// Set inside.
const INSIDE: &str = "VOUCHSAFE_E2E_ISOLATED";

/// Whether we are inside.
#[must_use]
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Why this machine cannot run a real node, if it cannot.
#[must_use]
pub fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("a real node needs root".to_owned());
    }
    let lacks = real_node::lacks();
    if !lacks.is_empty() {
        return Some(format!("a real node needs: apt-get install {}", lacks.join(" ")));
    }
    let tried = unshare().and_then(|mut command| {
        let command = command.args(["/bin/sh", "-c", TRIAL]);
        command.output().context("cannot start `unshare`")
    });
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("{error:#}")),
    }
}

/// Runs this program inside, with these arguments, to its end, with what it prints in view; the sum on its last line.
///
/// # Errors
/// When it cannot be started, or ends without a sum.
#[expect(clippy::print_stdout, reason = "what the cases say is shown as they say it")]
pub async fn run(args: &[String]) -> Result<Counts> {
    let own = env::current_exe().context("cannot find this program")?;
    let mut command = tokio::process::Command::from(unshare()?);
    command
        .arg(own)
        .args(args)
        .env(INSIDE, "yes")
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().context("cannot start `unshare`")?;
    let output = child.stdout.take().context("no output")?;
    let (mut lines, mut last) = (BufReader::new(output).lines(), String::new());
    while let Some(line) = lines.next_line().await.context("cannot read what the cases say")? {
        if Counts::of_line(&line).is_none() {
            println!("{line}");
        }
        last = line;
    }
    let status = child.wait().await.context("cannot wait for the cases")?;
    for group in control_groups()? {
        remove(&group);
    }
    Counts::of_line(&last).with_context(|| format!("the cases ended ({status}) without a sum"))
}

fn unshare() -> Result<Command> {
    let path = Path::new("/usr/bin/unshare");
    if !path.is_file() {
        bail!("`unshare` (Debian package util-linux) is not installed");
    }
    let mut command = Command::new(path);
    command.args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
    ]);
    Ok(command)
}

/// The control group under which the kubelet keeps its pods, by its name in each hierarchy.
pub const CONTROL_GROUP: &str = "vouchsafe-e2e";

/// Where that is: in the one hierarchy, or in each of them.
fn control_groups() -> Result<Vec<PathBuf>> {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").is_file() {
        return Ok(vec![root.join(CONTROL_GROUP)]);
    }
    let hierarchies = fs::read_dir(root).context("this machine has no control groups")?;
    let folders = hierarchies.flatten().map(|entry| entry.path());
    // Links are second names of the same hierarchy.
    let folders = folders.filter(|path| path.is_dir() && !path.is_symlink());
    Ok(folders.map(|path| path.join(CONTROL_GROUP)).collect())
}

/// Removes a control group and those in it. Whatever still has a process stays, and is reused by the next run.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Once, inside: what every program expects of a machine.
///
/// # Errors
/// When a mount, a control group or the loopback interface is refused.
pub fn settle() -> Result<()> {
    for group in control_groups()? {
        fs::create_dir_all(&group).with_context(|| format!("cannot make the control group `{}`", group.display()))?;
    }
    real_node::ip("link set lo up")?;
    real_node::ip(&format!("addr add {}/32 dev lo", real_node::SERVES))?;
    // A machine has a route to the addresses of Services, by which its own programs reach them: the API server asks webhooks there.
    real_node::ip("link add services type bridge")?;
    real_node::ip("link set services up")?;
    real_node::ip(&format!("route add {} dev services", real_node::SERVICES))?;
    let mount = Command::new("/bin/mount")
        .args(["-t", "tmpfs", "tmpfs", "/run"])
        .output();
    let output = mount.context("cannot start `mount`")?;
    if !output.status.success() {
        bail!("cannot mount /run: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
