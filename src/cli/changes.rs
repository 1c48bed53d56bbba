//! Two releases side by side, in words: component by component, with the text where it is still there.

mod text;

use super::screen::{Screen, Style};
use serde_json::Value;
use std::collections::BTreeMap;
use vouchsafe_core::{
    digest::Digest,
    surface::{Change, ChangeKind, Component, ConfigObject, Facet, Resolution, Surface},
};

/// Facets whose value is too much for one line.
const BULKY: &[Facet] = &[Facet::Container, Facet::Pod];
/// Letters of one value that are shown.
const SHOWN: usize = 160;

/// The bytes of configuration that is still there, by their digest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts {
    by_digest: BTreeMap<Digest, String>,
}

impl Texts {
    /// Adds what a ConfigMap holds, as far as it is text. Secrets are never shown.
    pub(crate) fn add(&mut self, object: &ConfigObject) {
        for bytes in object.data.values() {
            if let Ok(text) = str::from_utf8(bytes) {
                self.by_digest.insert(Digest::of(bytes), text.to_owned());
            }
        }
    }

    /// Adds what others hold.
    pub(crate) fn join(&mut self, others: &Self) {
        let others = others.by_digest.iter().map(|(digest, text)| (*digest, text.clone()));
        self.by_digest.extend(others);
    }

    fn of(&self, component: Option<&Component>) -> Option<&str> {
        self.by_digest.get(&component?.digest).map(String::as_str)
    }
}

/// Prints what changed on the way from one surface to another.
pub(crate) fn print(from: &Surface, to: &Surface, texts: &Texts, screen: &mut Screen) {
    let changes = to.diff(from);
    if changes.is_empty() {
        screen.line("  nothing changed");
    }
    for change in &changes {
        one(change, texts, screen);
    }
}

fn one(change: &Change, texts: &Texts, screen: &mut Screen) {
    let (style, mark) = match change.kind {
        ChangeKind::Added => (Style::Good, "+"),
        ChangeKind::Removed => (Style::Bad, "-"),
        ChangeKind::Changed => (Style::Wait, "~"),
    };
    let unresolved = change
        .after
        .as_ref()
        .is_some_and(|after| after.resolution == Resolution::Unresolved);
    let note = if unresolved { "  (unresolved)" } else { "" };
    screen.pieces(&[
        (style, &format!("  {mark} {} ", change.facet)),
        (Style::Bold, &change.name),
        (Style::Bad, note),
    ]);
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    let shown = match (texts.of(before), texts.of(after)) {
        (None, None) => false,
        (before, after) => text::print(before, after, change.kind == ChangeKind::Changed, screen),
    };
    if !shown {
        summaries(before, after, screen);
        if !BULKY.contains(&change.facet) {
            whole(before, after, screen);
        }
        for path in &change.paths {
            value(path, before, after, screen);
        }
    }
}

/// What is there on one side only.
fn whole(before: Option<&Component>, after: Option<&Component>, screen: &mut Screen) {
    let (style, mark, component) = match (before, after) {
        (None, Some(added)) => (Style::Good, "+", added),
        (Some(removed), None) => (Style::Bad, "-", removed),
        _ => return,
    };
    if let Some(value) = &component.value {
        screen.styled(style, &format!("      {mark} {}", shortened(value)));
    }
}

/// The few words that stand for a component, where they differ.
fn summaries(before: Option<&Component>, after: Option<&Component>, screen: &mut Screen) {
    let words = |component: Option<&Component>| component.and_then(|of| of.summary.clone());
    let (before, after) = (words(before), words(after));
    if before == after {
        return;
    }
    for (style, mark, words) in [(Style::Bad, "-", before), (Style::Good, "+", after)] {
        if let Some(words) = words {
            screen.styled(style, &format!("      {mark} {words}"));
        }
    }
}

fn value(path: &str, before: Option<&Component>, after: Option<&Component>, screen: &mut Screen) {
    let at = |component: Option<&Component>| component.and_then(|of| of.value.as_ref()?.pointer(path).cloned());
    screen.line(&format!("      {}", if path.is_empty() { "(all of it)" } else { path }));
    for (style, mark, found) in [(Style::Bad, "-", at(before)), (Style::Good, "+", at(after))] {
        if let Some(found) = found {
            screen.styled(style, &format!("        {mark} {}", shortened(&found)));
        }
    }
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
