//! Builds the programs, one after the other, each only once, also when two runs start together.

use super::{Source, Tool};
use anyhow::{Context, Result, bail};
use std::{
    fs::File,
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Is told what happens and how long it has taken: the program's name, and the seconds since its build began.
pub type Progress = fn(program: &str, elapsed: Duration);

/// Lines of a failed build that are shown.
const SHOWN_LINES: usize = 30;
/// Between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_secs(15);

/// Builds what is wanted and missing into `folder`.
pub(super) fn all(source: &Source, folder: &Path, wanted: &[Tool], progress: Progress) -> Result<()> {
    let missing = |tool: &&Tool| !folder.join(tool.file()).is_file();
    if !wanted.iter().any(|tool| missing(&tool)) {
        return Ok(());
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let lock = File::create(folder.join(".lock")).context("cannot make the cache's lock file")?;
    lock.lock().context("cannot lock the cache")?;
    for tool in wanted.iter().filter(missing) {
        one(source, folder, *tool, progress)?;
        link_applets(folder, *tool)?;
    }
    Ok(())
}

fn one(source: &Source, folder: &Path, tool: Tool, progress: Progress) -> Result<()> {
    let file = tool.file();
    let unfinished = folder.join(format!(".{file}.unfinished"));
    let log = folder.join(format!("{file}.log"));
    let output = File::create(&log).with_context(|| format!("cannot write `{}`", log.display()))?;
    let mut build = Command::new("go")
        .current_dir(&source.module)
        .args([
            "build",
            "-mod=readonly",
            "-buildvcs=false",
            "-ldflags",
            &link_flags(source.version),
        ])
        .args(source.definition.iter().map(|file| format!("-modfile={file}")))
        .arg("-o")
        .arg(&unfinished)
        .arg(tool.package())
        .env_remove("GOFLAGS")
        .envs(tool.is_static().then_some(("CGO_ENABLED", "0")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .map_err(explain_missing_go)?;
    let status = wait_reporting(&mut build, file, progress)?;
    if !status.success() {
        bail!("building `{file}` failed ({status}):\n{}", last_lines(&log));
    }
    std::fs::rename(&unfinished, folder.join(file)).with_context(|| format!("cannot keep the built `{file}`"))
}

/// Clients parse the server's version, and fail when it is the placeholder of an unversioned build.
fn link_flags(version: &str) -> String {
    format!("-s -w -X k8s.io/component-base/version.gitVersion={version}")
}

fn wait_reporting(build: &mut std::process::Child, file: &str, progress: Progress) -> Result<std::process::ExitStatus> {
    let begun = Instant::now();
    let mut reported = begun;
    progress(file, Duration::ZERO);
    loop {
        if let Some(status) = build.try_wait().context("cannot wait for the Go compiler")? {
            return Ok(status);
        }
        if reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            progress(file, begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn link_applets(folder: &Path, tool: Tool) -> Result<()> {
    for name in tool.applets() {
        match std::os::unix::fs::symlink(tool.file(), folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| format!("cannot link `{name}`"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn explain_missing_go(error: std::io::Error) -> anyhow::Error {
    let missing = error.kind() == ErrorKind::NotFound;
    anyhow::Error::new(error).context(if missing {
        "`go` is not in the PATH: install Go 1.26 or newer (https://go.dev/dl/); the test cluster is built with it"
    } else {
        "cannot start `go`"
    })
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(SHOWN_LINES);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}
