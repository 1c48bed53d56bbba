//! Texts line by line, within bounds.

use crate::cli::screen::{Screen, Style};
use similar::{ChangeTag, TextDiff};
use std::time::Duration;

/// Lines that are shown.
const MAX_LINES: usize = 120;
/// Bytes of a text that is compared.
const MAX_BYTES: usize = 512 * 1024;
/// Lines of context.
const CONTEXT: usize = 2;
/// How long comparing may take; afterwards it is coarse.
const PATIENCE: Duration = Duration::from_millis(500);

/// Prints how the text changed; a text that is not there any more counts as unknown, not as empty, and where there are both (`changed`)
/// that is said. Whether anything could be shown.
pub(super) fn print(before: Option<&str>, after: Option<&str>, changed: bool, screen: &mut Screen) -> bool {
    let (text, known, unknown) = match (before, after) {
        (Some(before), Some(after)) => return compared(before, after, screen),
        (Some(before), None) => (before, Style::Bad, "after"),
        (None, Some(after)) => (after, Style::Good, "before"),
        (None, None) => return false,
    };
    if changed {
        let line = format!(
            "      (the text {unknown} is in no ConfigMap that you may read; with -f it is taken from files. Without it, all of the other:)"
        );
        screen.styled(Style::Wait, &line);
    }
    let mark = if known == Style::Good { "+" } else { "-" };
    for line in text.lines().take(MAX_LINES) {
        screen.styled(known, &format!("      {mark} {line}"));
    }
    if text.lines().count() > MAX_LINES {
        screen.line("      …");
    }
    true
}

fn compared(before: &str, after: &str, screen: &mut Screen) -> bool {
    if before.len().max(after.len()) > MAX_BYTES {
        screen.line("      (too long to compare)");
        return true;
    }
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    let mut shown = 0;
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            screen.styled(Style::Dim, "      ⋮");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            shown += 1;
            if shown > MAX_LINES {
                screen.line("      …");
                return true;
            }
            let (style, mark) = match change.tag() {
                ChangeTag::Equal => (Style::Dim, " "),
                ChangeTag::Delete => (Style::Bad, "-"),
                ChangeTag::Insert => (Style::Good, "+"),
            };
            screen.styled(
                style,
                &format!("      {mark} {}", change.value().trim_end_matches(['\n', '\r'])),
            );
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_cannot_be_read_is_not_taken_for_an_empty_one() {
        let mut screen = Screen::default();
        assert!(print(None, Some("Be kind.\nBe brief.\n"), true, &mut screen));
        assert!(print(Some("Be kind.\n"), None, true, &mut screen));
        assert!(print(None, Some("Be new.\n"), false, &mut screen));
        assert!(print(Some("Be kind.\n"), Some("Be brief.\n"), true, &mut screen));
        assert!(!print(None, None, true, &mut screen));
        insta::assert_snapshot!(screen.as_str(), @r"
              (the text before is in no ConfigMap that you may read; with -f it is taken from files. Without it, all of the other:)
              + Be kind.
              + Be brief.
              (the text after is in no ConfigMap that you may read; with -f it is taken from files. Without it, all of the other:)
              - Be kind.
              + Be new.
              - Be kind.
              + Be brief.
        ");
    }
}
