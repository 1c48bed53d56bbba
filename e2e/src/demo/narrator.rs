//! Tells the demo: says what is about to happen, types the command in the voice of whoever runs it, shows what really came out, and
//! counts the seconds while something takes long.

use crate::{program::Run, users::User};
use anyhow::{Context, Result};
use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// Between two signs of life.
const TICK: Duration = Duration::from_secs(1);
/// A step that takes longer is shown while it runs.
const LONG: Duration = Duration::from_secs(2);

/// Tells, in order.
#[derive(Debug)]
pub struct Narrator {
    begun: Instant,
    chapters: usize,
    colour: bool,
}

impl Default for Narrator {
    fn default() -> Self {
        Self::new()
    }
}

impl Narrator {
    /// Begins now; in colour on a terminal, unless `NO_COLOR` is set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            begun: Instant::now(),
            chapters: 0,
            colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// Begins a chapter.
    pub fn chapter(&mut self, title: &str) {
        self.chapters += 1;
        let line = format!("{}. {title}", self.chapters);
        print(&format!("\n{}", self.styled("1", &line)));
    }

    /// Says something.
    pub fn say(&self, words: &str) {
        print(&format!("\n{words}"));
    }

    /// Runs a command as this user, in view, and gives what it printed.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn run(&self, user: &User, run: Run) -> Result<String> {
        let ran = self.show(user, run).await?;
        ran.must()
    }

    /// Runs a command that must be refused for this reason, in view.
    ///
    /// # Errors
    /// When it succeeds, or fails for another reason.
    pub async fn refused(&self, user: &User, run: Run, reason: &str) -> Result<()> {
        self.show(user, run).await?.must_fail_with(reason)?;
        Ok(())
    }

    /// Does something that may take long, with the seconds counted.
    ///
    /// # Errors
    /// When it fails: which step, and why.
    pub async fn step<T>(&self, name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let begun = Instant::now();
        let mut work = std::pin::pin!(work);
        let result = loop {
            match tokio::time::timeout(TICK, &mut work).await {
                Ok(result) => break result,
                Err(_) if begun.elapsed() >= LONG => self.progress(name, begun.elapsed()),
                Err(_) => {}
            }
        };
        let seconds = begun.elapsed().as_secs_f64();
        let result = result.with_context(|| format!("the step `{name}` failed after {seconds:.1} s"))?;
        self.clear_line();
        print(&self.styled("2", &format!("  {name}: {seconds:.1} s")));
        Ok(result)
    }

    /// How long it has taken so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    async fn show(&self, user: &User, run: Run) -> Result<crate::program::Ran> {
        let prompt = self.styled("36", &format!("{}$", user.name));
        print(&format!("\n{prompt} {}", self.styled("1", &run.line())));
        let ran = run.ran().await?;
        for line in ran.stdout.lines().chain(ran.stderr.lines()) {
            print(&format!("  {line}"));
        }
        Ok(ran)
    }

    /// On a terminal one line that counts; elsewhere a line every ten seconds.
    fn progress(&self, name: &str, elapsed: Duration) {
        let line = format!("  {name} … {} s", elapsed.as_secs());
        if self.colour {
            write(&format!("\r{line}"));
        } else if elapsed.as_secs().is_multiple_of(10) {
            print(&line);
        }
    }

    fn clear_line(&self) {
        if self.colour {
            write("\r\x1b[K");
        }
    }

    fn styled(&self, code: &str, words: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{words}\x1b[0m")
        } else {
            words.to_owned()
        }
    }
}

fn print(line: &str) {
    write(&format!("{line}\n"));
}

/// A reader who went away is no reason to fail.
fn write(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::Narrator;
    use anyhow::anyhow;

    #[tokio::test]
    async fn a_failed_step_says_which_and_why() {
        let narrator = Narrator::new();
        let failed = narrator
            .step("installing", async { Err::<(), _>(anyhow!("no chart")) })
            .await;
        let words = format!("{:#}", failed.unwrap_err());
        assert!(
            words.starts_with("the step `installing` failed") && words.ends_with("no chart"),
            "{words}"
        );
    }
}
