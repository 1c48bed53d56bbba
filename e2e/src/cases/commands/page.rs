//! The commands of a page: what is set in by four spaces, outside of fences and of tables of fields.

use crate::checkout;
use anyhow::{Context as _, Result, ensure};
use std::fs;

/// Where users find commands.
const BOOK: &str = "docs/book";
const OTHERS: [&str; 3] = [
    "README.md",
    "examples/refund-triage/README.md",
    "examples/gitops/README.md",
];
/// What a line that is a command begins with.
const PROGRAMS: [&str; 14] = [
    "helm",
    "kubectl",
    "kustomize",
    "vouchsafe",
    "make",
    "cargo",
    "trivy",
    "jq",
    "alias",
    "k",
    "server",
    "token",
    "kinds",
    "KUBECONFIG",
];

/// Commands that stand together, and share a shell.
pub(super) struct Block {
    /// The page, from the checkout on.
    pub(super) page: String,
    /// A command each, without what is said beside it.
    pub(super) lines: Vec<String>,
}

/// Of every page.
pub(super) fn blocks() -> Result<Vec<Block>> {
    let mut pages = OTHERS.map(str::to_owned).to_vec();
    for entry in fs::read_dir(checkout().join(BOOK)).context("there is no book")? {
        pages.push(format!("{BOOK}/{}", entry?.file_name().display()));
    }
    pages.sort();
    let mut found = Vec::new();
    for page in pages {
        let text = fs::read_to_string(checkout().join(&page)).with_context(|| format!("cannot read `{page}`"))?;
        let blocks = within(&text).into_iter();
        found.extend(blocks.map(|lines| Block {
            page: page.clone(),
            lines,
        }));
    }
    ensure!(found.len() > 20, "only {} blocks of commands were found", found.len());
    Ok(found)
}

fn within(text: &str) -> Vec<Vec<String>> {
    let (mut blocks, mut block, mut fenced) = (Vec::new(), Vec::new(), false);
    for line in text.lines().chain([""]) {
        fenced ^= line.starts_with("```");
        match line.strip_prefix("    ").filter(|_| !fenced) {
            Some(line) => block.extend(command(line)),
            None if block.is_empty() => {}
            None => blocks.push(std::mem::take(&mut block)),
        }
    }
    blocks
}

/// The command of a line, if it is one and no answer to one.
fn command(line: &str) -> Option<String> {
    let line = line.trim();
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let program = line.split([' ', '=']).next().unwrap_or_default();
    let line = line.split_once("  #").map_or(line, |(line, _)| line);
    PROGRAMS.contains(&program).then(|| line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn commands_are_told_from_what_stands_around_them() {
        let text = "\
Words.

    $ kubectl get pods     # all of them
    NAME   READY
    kubectl logs NAME -c '#'

```yaml
    helm: no
```
- an item

      make demo
    name: not a command
";
        let found = super::within(text);
        assert_eq!(
            found,
            [vec!["kubectl get pods", "kubectl logs NAME -c '#'"], vec!["make demo"]]
        );
    }
}
