//! Problems in words: what is wrong, where, and how to put it right.

use super::screen::{Screen, Style};
use vouchsafe_api::agent::status;
use vouchsafe_core::surface::Problem;

/// Prints them, those that block first.
pub(crate) fn print(problems: &[Problem], screen: &mut Screen) {
    for problem in problems {
        let (style, mark) = if problem.blocking {
            (Style::Bad, "✗")
        } else {
            (Style::Wait, "!")
        };
        screen.pieces(&[
            (style, &format!("  {mark} {}", problem.reason)),
            (Style::Plain, &format!(": {}", problem.message)),
        ]);
        screen.styled(Style::Dim, &format!("      at  {}", place(problem)));
        screen.styled(Style::Dim, &format!("      fix {}", problem.fix));
    }
}

/// Prints one that an Agent's status holds.
pub(crate) fn print_stored(problem: &status::Problem, screen: &mut Screen) {
    let (style, mark) = if problem.blocking {
        (Style::Bad, "✗")
    } else {
        (Style::Wait, "!")
    };
    screen.pieces(&[
        (style, &format!("  {mark} {}", problem.reason)),
        (Style::Plain, &format!(": {}", problem.message)),
    ]);
    screen.styled(Style::Dim, &format!("      at  {} {}", problem.object, problem.field));
    screen.styled(Style::Dim, &format!("      fix {}", problem.fix));
}

/// The object and the field.
pub(crate) fn place(problem: &Problem) -> String {
    let words = [problem.object.as_str(), problem.field.as_str()];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}
