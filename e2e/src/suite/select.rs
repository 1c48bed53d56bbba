//! Which cases to run: all, or those that a filter names.

use super::Case;
use anyhow::{Result, bail};

/// The cases of which a number is one of the filter's words, or whose name contains one. Without a filter, all but those that run on request.
///
/// # Errors
/// When no case is left: a run of nothing shows nothing.
pub fn select(cases: Vec<Case>, filter: &[String]) -> Result<Vec<Case>> {
    let wanted: Vec<Case> = cases
        .into_iter()
        .filter(|case| filter.is_empty() && !case.on_request || filter.iter().any(|word| matches(case, word)))
        .collect();
    if wanted.is_empty() {
        bail!("no case matches `{}`", filter.join(" "));
    }
    Ok(wanted)
}

fn matches(case: &Case, word: &str) -> bool {
    let word = word.to_lowercase();
    case.numbers.iter().any(|number| number.to_lowercase() == word) || case.name.to_lowercase().contains(&word)
}

#[cfg(test)]
mod tests {
    use super::select;
    use crate::suite::Case;

    fn cases() -> Vec<Case> {
        vec![
            Case::new(&["D01", "D06"], "an init container", async |_| Ok(())),
            Case::new(&["D11"], "a label", async |_| Ok(())),
            Case::new(&[], "the Cluster is up", async |_| Ok(())),
            Case::new(&[], "a long measure", async |_| Ok(())).on_request(),
        ]
    }

    #[test]
    fn by_number_or_by_words() {
        for (filter, names) in [
            (&[][..], &["an init container", "a label", "the Cluster is up"][..]),
            (&["measure"], &["a long measure"]),
            (&["d06"], &["an init container"]),
            (&["D1"], &[]),
            (&["cluster", "D11"], &["a label", "the Cluster is up"]),
        ] {
            let filter: Vec<String> = filter.iter().map(|word: &&str| (*word).to_owned()).collect();
            let found = select(cases(), &filter);
            let found: Vec<&str> = found.iter().flatten().map(|case| case.name).collect();
            assert_eq!(found, names, "{filter:?}");
        }
        let error = select(cases(), &["D99".to_owned()]).err().unwrap();
        assert_eq!(error.to_string(), "no case matches `D99`");
    }
}
