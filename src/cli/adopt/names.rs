//! Names of Agents: one for each workload, that no other Agent has.

use std::collections::BTreeSet;

/// Characters of an Agent's name.
const MAX: usize = 63;

/// Names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// With names that are there already.
    pub(super) fn taken(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// The workload's own name where that can be; else with its kind, else with a number.
    pub(super) fn of(&mut self, kind: &str, name: &str) -> String {
        let kind = kind.to_ascii_lowercase();
        let first = fitting(name, "");
        let mut chosen = first.clone();
        let mut number = 1;
        while !self.0.insert(chosen.clone()) {
            let ending = match number {
                1 => format!("-{kind}"),
                more => format!("-{kind}-{more}"),
            };
            chosen = fitting(name, &ending);
            number += 1;
        }
        chosen
    }
}

/// The name with dashes for dots, and as long as it may be.
fn fitting(name: &str, ending: &str) -> String {
    let plain: String = name.replace('.', "-").chars().take(MAX - ending.len()).collect();
    format!("{}{ending}", plain.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_a_name_of_its_own() {
        let mut names = Names::taken(["there".to_owned()]);
        let long = "x".repeat(80);
        for (kind, name, expected) in [
            ("Deployment", "a", "a".to_owned()),
            ("CronJob", "a", "a-cronjob".to_owned()),
            ("CronJob", "a", "a-cronjob-2".to_owned()),
            ("Deployment", "there", "there-deployment".to_owned()),
            ("Deployment", "a.b", "a-b".to_owned()),
            ("Deployment", &long, "x".repeat(63)),
            ("Job", &long, format!("{}-job", "x".repeat(59))),
        ] {
            assert_eq!(names.of(kind, name), expected);
        }
    }
}
