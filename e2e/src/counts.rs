//! How many passed, failed and were skipped: what a person and a program read last.

use std::{fmt, ops::AddAssign};

/// The sum of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Showed what they are for.
    pub passed: usize,
    /// Did not.
    pub failed: usize,
    /// Could not run here.
    pub skipped: usize,
}

impl Counts {
    /// One that passed.
    pub const PASSED: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    /// One that failed.
    pub const FAILED: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };
    /// One that was skipped.
    pub const SKIPPED: Self = Self {
        passed: 0,
        failed: 0,
        skipped: 1,
    };

    /// Whether something ran and nothing failed.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// What cargo says at the end of a test binary: `test result: ok. 14 passed; 0 failed; 0 ignored; …`.
    #[must_use]
    pub fn of_cargo(line: &str) -> Option<Self> {
        let rest = line.trim().strip_prefix("test result: ")?;
        let (_, numbers) = rest.split_once(". ")?;
        let number = |word: &str| {
            let part = numbers
                .split(';')
                .map(str::trim)
                .find_map(|part| part.strip_suffix(word))?;
            part.trim().parse().ok()
        };
        Some(Self {
            passed: number("passed")?,
            failed: number("failed")?,
            skipped: number("ignored")?,
        })
    }
}

impl Counts {
    /// What a run of ours says on its last line, as it is written by `Display`.
    #[must_use]
    pub fn of_line(line: &str) -> Option<Self> {
        let mut parts = line.split(", ");
        let mut number = |word: &str| parts.next()?.strip_suffix(word)?.trim().parse().ok();
        let counts = Self {
            passed: number("passed")?,
            failed: number("failed")?,
            skipped: number("skipped")?,
        };
        parts.next().is_none().then_some(counts)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn reads_what_cargo_says() {
        for (line, expect) in [
            (
                "test result: ok. 14 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.10s",
                Some((14, 0, 2)),
            ),
            (
                "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
                Some((3, 1, 0)),
            ),
            ("test it::works ... ok", None),
            ("test result: ok. many passed; 0 failed; 0 ignored", None),
        ] {
            let expect = expect.map(|(passed, failed, skipped)| Counts {
                passed,
                failed,
                skipped,
            });
            assert_eq!(Counts::of_cargo(line), expect, "{line}");
        }
    }

    #[test]
    fn nothing_that_ran_is_no_success() {
        assert!(!Counts::default().is_success());
        assert!(!Counts::SKIPPED.is_success());
        assert!(Counts::PASSED.is_success());
        let mut sum = Counts::PASSED;
        sum += Counts::FAILED;
        assert!(!sum.is_success());
        assert_eq!(sum.to_string(), "1 passed, 1 failed, 0 skipped");
        assert_eq!(Counts::of_line(&sum.to_string()), Some(sum));
        assert_eq!(Counts::of_line("1 passed, 1 failed"), None);
    }
}
