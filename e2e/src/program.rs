//! Running a program to its end, and what came of it.

use anyhow::{Context, Result, bail};
use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncWriteExt, process::Command};

/// After this a program is killed, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(180);

/// A program about to run.
#[derive(Debug, Clone)]
pub struct Run {
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    input: Vec<u8>,
    folder: Option<PathBuf>,
    patience: Duration,
}

/// What a program left.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The command, for messages.
    pub line: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Run {
    /// The program at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            args: Vec::new(),
            env: Vec::new(),
            input: Vec::new(),
            folder: None,
            patience: PATIENCE,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives it this to read.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it in this folder.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_path_buf());
        self
    }

    /// Lets it take this long.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be started, or takes too long.
    pub async fn ran(self) -> Result<Ran> {
        let line = self.line();
        let mut command = Command::new(&self.path);
        command
            .args(&self.args)
            .envs(self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let mut child = command.spawn().with_context(|| format!("cannot start `{line}`"))?;
        let mut stdin = child.stdin.take().context("the program has no input")?;
        let feed = async move {
            // A program need not read what it is given: a broken pipe here is no error.
            let _ = stdin.write_all(&self.input).await;
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = tokio::time::timeout(self.patience, both)
            .await
            .with_context(|| format!("`{line}` did not end in {} s", self.patience.as_secs()))?
            .with_context(|| format!("cannot run `{line}`"))?;
        Ok(Ran {
            line,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it and gives what it printed.
    ///
    /// # Errors
    /// When it fails, with all that it said.
    pub async fn must(self) -> Result<String> {
        self.ran().await?.must()
    }

    /// The command as somebody would type it.
    #[must_use]
    pub fn line(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        std::iter::once(name)
            .chain(self.args.iter().map(OsString::as_os_str))
            .map(|word| quoted(&word.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Ran {
    /// What it printed, when it succeeded.
    ///
    /// # Errors
    /// When it failed, with all that it said.
    pub fn must(self) -> Result<String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            _ => bail!("`{}` failed ({}):\n{}", self.line, self.end(), self.said()),
        }
    }

    /// What it complained about, when it failed as it should.
    ///
    /// # Errors
    /// When it succeeded, or failed without saying `reason`.
    pub fn must_fail_with(self, reason: &str) -> Result<String> {
        match self.code {
            Some(0) => bail!(
                "`{}` succeeded, and should have failed with `{reason}`:\n{}",
                self.line,
                self.said()
            ),
            _ if self.stderr.contains(reason) => Ok(self.stderr),
            _ => bail!(
                "`{}` failed ({}), but not with `{reason}`:\n{}",
                self.line,
                self.end(),
                self.said()
            ),
        }
    }

    fn end(&self) -> String {
        self.code
            .map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"))
    }

    fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr).trim_end().to_owned()
    }
}

/// A word as a shell would need it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::Run;

    fn shell(script: &str) -> Run {
        Run::new("/bin/sh").args(["-c", script])
    }

    #[tokio::test]
    async fn gives_what_was_printed_for_what_was_read() {
        assert_eq!(shell("tr a-z A-Z").input("held").must().await.unwrap(), "HELD");
    }

    #[tokio::test]
    async fn input_larger_than_a_pipe_does_not_block() {
        let input = vec![b'x'; 1 << 20];
        assert_eq!(shell("wc -c").input(input).must().await.unwrap().trim(), "1048576");
    }

    #[tokio::test]
    async fn a_failure_says_everything_and_the_wrong_failure_is_one_too() {
        let error = shell("echo out; echo forbidden >&2; exit 4")
            .must()
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit code 4") && error.contains("out") && error.contains("forbidden"),
            "{error}"
        );
        let ran = shell("echo forbidden >&2; exit 4").ran().await.unwrap();
        assert!(ran.clone().must_fail_with("forbidden").is_ok());
        assert!(ran.must_fail_with("not cleared").is_err());
        assert!(
            shell("echo forbidden >&2")
                .ran()
                .await
                .unwrap()
                .must_fail_with("forbidden")
                .is_err()
        );
    }

    #[test]
    fn a_line_can_be_typed_again() {
        let line = Run::new("/x/kubectl")
            .args(["get", "pods", "-o", "jsonpath={.a b}", "it's"])
            .line();
        assert_eq!(line, r"kubectl get pods -o 'jsonpath={.a b}' 'it'\''s'");
    }
}
