//! What came of the cases, in lines that people read and one that programs read.

use super::{Case, Skipped};
use crate::counts::Counts;
use std::{collections::BTreeSet, time::Duration};
use tokio::task::JoinError;

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It showed what it is for.
    Passed,
    /// It did not, and why.
    Failed(String),
    /// It cannot be shown here, and why.
    Skipped(String),
}

impl Outcome {
    /// Of an error: skipped when the case said so itself.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        match error.downcast_ref::<Skipped>() {
            Some(Skipped(reason)) => Self::Skipped(reason.clone()),
            None => Self::Failed(format!("{error:#}")),
        }
    }
}

/// The sum of a run.
#[derive(Debug, Default)]
pub struct Report {
    counts: Counts,
    shown: BTreeSet<&'static str>,
    not_shown: BTreeSet<&'static str>,
    failures: Vec<String>,
}

impl Report {
    /// Counts a case that has ended, and prints its line.
    pub(super) fn add(&mut self, ended: Result<(Case, Outcome, Duration), JoinError>) {
        match ended {
            Ok((case, outcome, took)) => self.count(&case, &outcome, took),
            Err(error) => self.fail(format!("a case ended the runner's task: {}", panic_words(error))),
        }
    }

    fn count(&mut self, case: &Case, outcome: &Outcome, took: Duration) {
        let seconds = took.as_secs_f64();
        match outcome {
            Outcome::Passed => {
                say(&format!("pass  {case} ({seconds:.1} s)"));
                self.counts += Counts::PASSED;
                self.shown.extend(case.numbers);
                return;
            }
            Outcome::Skipped(reason) => {
                say(&format!("skip  {case}: {reason}"));
                self.counts += Counts::SKIPPED;
            }
            Outcome::Failed(reason) => {
                let line = format!("FAIL  {case} ({seconds:.1} s): {reason}");
                say(&line);
                self.fail(line);
            }
        }
        self.not_shown.extend(case.numbers);
    }

    fn fail(&mut self, line: String) {
        self.counts += Counts::FAILED;
        self.failures.push(line);
    }

    /// Prints the failures again, and which numbers were shown.
    pub fn sum_up(&self) {
        if !self.failures.is_empty() {
            say(&format!("\n{} failed:", self.counts.failed));
            self.failures.iter().for_each(|line| say(line));
        }
        // A number is shown when every case of it passed.
        let shown: Vec<&str> = self.shown.difference(&self.not_shown).copied().collect();
        let not_shown: Vec<&str> = self.not_shown.iter().copied().collect();
        say(&format!("\nshown: {} ({})", words(&shown), shown.len()));
        if !not_shown.is_empty() {
            say(&format!("not shown: {} ({})", words(&not_shown), not_shown.len()));
        }
    }

    /// Passed, failed and skipped.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

/// What a panic said.
pub(super) fn panic_words(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            format!("panicked: {}", words.unwrap_or("without words"))
        }
        Err(cancelled) => cancelled.to_string(),
    }
}

fn words(numbers: &[&str]) -> String {
    if numbers.is_empty() {
        "nothing that has a number".to_owned()
    } else {
        numbers.join(" ")
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the suite is for")]
fn say(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Report};
    use crate::suite::{Case, Skipped};
    use anyhow::anyhow;
    use std::time::Duration;

    fn report(outcomes: &[(&'static [&'static str], Outcome)]) -> Report {
        let mut report = Report::default();
        for (numbers, outcome) in outcomes {
            let case = Case::new(numbers, "a case", async |_| Ok(()));
            report.add(Ok((case, outcome.clone(), Duration::ZERO)));
        }
        report
    }

    #[test]
    fn a_number_is_shown_when_every_case_of_it_passed() {
        let report = report(&[
            (&["D01", "D06"], Outcome::Passed),
            (&["D06"], Outcome::Failed("it ran".to_owned())),
            (&["D11"], Outcome::Skipped("no".to_owned())),
        ]);
        let shown: Vec<&str> = report.shown.difference(&report.not_shown).copied().collect();
        assert_eq!(shown, ["D01"]);
        assert_eq!(report.counts().to_string(), "1 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn only_a_case_that_says_so_is_skipped() {
        let skipped = anyhow::Error::from(Skipped("no kubelet".to_owned()));
        assert_eq!(Outcome::of(&skipped), Outcome::Skipped("no kubelet".to_owned()));
        let failed = anyhow!("refused").context("creating a pod");
        assert_eq!(
            Outcome::of(&failed),
            Outcome::Failed("creating a pod: refused".to_owned())
        );
    }
}
