//! From what core says to what is stored for people: the way back of [`lower`](crate::lower).
//!
//! Takes core's values, gives parts of objects, cut to the bounds of their schemas. Writes nothing.

mod decision;
mod evidence;
mod surface;

pub use self::{
    decision::{decision, waiting_for},
    evidence::finding,
    surface::{problem, surface, unresolved},
};

/// At most so many characters, the last of them an ellipsis when some were cut.
fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// At most so many texts, each of at most so many characters, none of them twice: a set in Kubernetes is refused with one.
fn cut_all(texts: &[String], most: usize, characters: usize) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in texts {
        let text = cut(text, characters);
        if kept.len() < most && !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
