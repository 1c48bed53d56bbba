//! Which names of namespaces an environment remembers, so that none comes back without its label.
//!
//! Takes what was remembered, what belongs to it now and what is there; gives what to remember, in the order of arrival.

use std::collections::BTreeSet;

/// As many names as the status holds.
const MAX: usize = 1024;

/// Names that belong to the environment, and of those remembered the ones that are gone. A name that is there and does not belong was
/// moved by somebody who may. Beyond [`MAX`] names those that are gone longest are forgotten.
pub(super) fn remembered(previous: &[String], governed: &[String], is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let governed: BTreeSet<&str> = governed.iter().map(String::as_str).collect();
    let known: BTreeSet<&str> = previous.iter().map(String::as_str).collect();
    let kept = previous.iter().map(String::as_str);
    let kept = kept.filter(|name| governed.contains(name) || !is_there(name));
    let new = governed.iter().copied().filter(|name| !known.contains(name));
    let mut names: Vec<&str> = kept.chain(new).collect();
    let mut surplus = names.len().saturating_sub(MAX);
    names.retain(|name| {
        let forgotten = surplus > 0 && !governed.contains(name);
        surplus -= usize::from(forgotten);
        !forgotten
    });
    names.truncate(MAX);
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{MAX, remembered};

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_name_stays_until_somebody_moved_it() {
        for (previous, governed, there, expected) in [
            ("", "b a", "a b", "a b"),
            ("b", "a b", "a b", "b a"),
            ("b a", "a", "a", "b a"),
            ("b a", "a", "a b", "a"),
            ("b a", "", "", "b a"),
        ] {
            let there = names(there);
            let is_there = |name: &str| there.iter().any(|other| other == name);
            assert_eq!(
                remembered(&names(previous), &names(governed), is_there),
                names(expected),
                "{previous} | {governed} | {there:?}"
            );
        }
    }

    #[test]
    fn what_is_gone_longest_is_forgotten_first() {
        let previous: Vec<String> = (0..MAX).map(|number| format!("gone-{number}")).collect();
        let found = remembered(&previous, &names("a b"), |name| name.len() == 1);
        assert_eq!(found.len(), MAX);
        assert_eq!(found.first().map(String::as_str), Some("gone-2"));
        assert!(found.ends_with(&names("a b")));
    }

    #[test]
    fn more_than_fit_are_as_many_as_fit() {
        let governed: Vec<String> = (0..=MAX).map(|number| format!("name-{number:04}")).collect();
        assert_eq!(remembered(&[], &governed, |_| true).len(), MAX);
    }
}
