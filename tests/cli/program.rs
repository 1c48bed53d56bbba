//! Running the program, without a terminal, a cluster or a home.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// All of it, for a snapshot.
    pub(crate) fn all(&self) -> String {
        format!("exit {}\n--- out\n{}--- err\n{}", self.code, self.out, self.err)
    }
}

/// Runs the program in the folder of the tests' input.
pub(crate) fn run(line: &[&str]) -> Ran {
    run_with(line, "")
}

/// Runs it with something on standard input.
pub(crate) fn run_with(line: &[&str], input: &str) -> Ran {
    finish(Command::new(env!("CARGO_BIN_EXE_vouchsafe")), line, input)
}

/// Runs it under another name.
pub(crate) fn run_as(name: &str, line: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouchsafe"));
    command.arg0(name);
    finish(command, line, "")
}

fn finish(mut command: Command, line: &[&str], input: &str) -> Ran {
    command.args(line).current_dir(folder()).env_clear();
    command.env("HOME", "/nonexistent").env("COLUMNS", "100");
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // The program may end without reading what it is given.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Where the tests' input is.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/input")
}
