//! A server that we started: it is stopped by its own process id, at the latest when this value goes away.
//!
//! Children run in a process group of their own, so that Ctrl-C reaches us and not them, and we end them in order. Where `setpriv`
//! is there (util-linux), the kernel ends them even when we are killed.

use crate::await_::{Look, within};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsString,
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// Lines of a log that an error shows.
const SHOWN_LINES: usize = 15;
/// After this a process that was asked to end is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name in messages and of its log.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables to set on top of ours.
    pub env: Vec<(String, OsString)>,
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it, with its output going to the end of a log.
    ///
    /// # Errors
    /// When it cannot be started, or the log cannot be written.
    pub fn start(program: &Program, log: &Path) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write `{}`", log.display()))?;
        let errors = output.try_clone().context("cannot share a log")?;
        let child = bound_to_us(&program.path)
            .args(&program.args)
            .envs(program.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.path.display()))?;
        Ok(Self {
            name: program.name.clone(),
            child,
            log: log.to_path_buf(),
        })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// With what it ended, if it has.
    ///
    /// # Errors
    /// When the machine does not say.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot look at a process")
    }

    /// Fails when it has ended, with the end of its log.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait().context("cannot look at a process")? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}):\n{}", self.name, last_lines(&self.log)),
        }
    }

    /// Kills it at once, as a crash would.
    pub fn kill(&mut self) {
        // It may have ended by itself: then there is nothing to kill, and waiting only fetches its status.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it in its tracks, as a machine that hangs would.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after a pause.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Asks it to end, waits, and kills it when it does not.
    ///
    /// # Errors
    /// When it had to be killed.
    pub async fn end(&mut self) -> Result<ExitStatus> {
        // Fails only when it has ended already, which is what is wanted.
        let _ = self.signal(Signal::TERM);
        let ended = within(PATIENCE, &format!("{} to end", self.name), || {
            std::future::ready(match self.child.try_wait() {
                Ok(Some(status)) => Ok(Look::Seen(status)),
                Ok(None) => Ok(Look::NotYet("it still runs".to_owned())),
                Err(error) => Err(error.into()),
            })
        })
        .await;
        self.kill();
        ended
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("no process id")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The end of a log, for an error.
#[must_use]
pub fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(SHOWN_LINES);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}

/// A command that the kernel kills with us. The signal is tied to the thread that starts it, so this is never called on a thread of
/// the blocking pool.
fn bound_to_us(path: &Path) -> Command {
    let found = ["/usr/bin/setpriv", "/bin/setpriv"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    match found {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(path);
            command
        }
        None => Command::new(path),
    }
}

#[cfg(test)]
mod tests {
    use super::{Process, Program};

    fn sleeper(script: &str, folder: &std::path::Path) -> Process {
        let program = Program {
            name: "sleeper".to_owned(),
            path: "/bin/sh".into(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: Vec::new(),
        };
        Process::start(&program, &folder.join("log")).unwrap()
    }

    #[test]
    fn is_gone_when_the_value_is() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper("exec sleep 1000", folder.path());
        let entry = format!("/proc/{}", process.id());
        assert!(std::path::Path::new(&entry).exists());
        drop(process);
        assert!(!std::path::Path::new(&entry).exists());
    }

    #[tokio::test]
    async fn an_early_end_is_an_error_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper("echo no such port; exit 3", folder.path());
        let error = crate::await_::until("its end", || {
            std::future::ready(Ok(match process.must_run() {
                Err(error) => crate::await_::Look::Seen(error.to_string()),
                Ok(()) => crate::await_::Look::NotYet("running".to_owned()),
            }))
        })
        .await
        .unwrap();
        assert!(
            error.contains("exit status: 3") && error.contains("no such port"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn ends_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(
            "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done",
            folder.path(),
        );
        let log = process.log().to_path_buf();
        crate::await_::until("the trap", || async {
            let text = std::fs::read_to_string(&log)?;
            Ok(crate::await_::Look::when(text, |text| text.contains("ready")))
        })
        .await
        .unwrap();
        assert_eq!(process.end().await.unwrap().code(), Some(7));
    }
}
