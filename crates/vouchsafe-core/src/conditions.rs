//! The one merge of status conditions.
//!
//! Takes what is stored, what should be and the time; gives what to write, or nothing when nothing changed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of a message that are kept; the API allows 32 KiB, people read less.
const MAX_MESSAGE: usize = 2048;

/// The status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It is not known.
    Unknown,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition, as in `metav1.Condition`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Its type, unique in its list.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: Truth,
    /// The generation it was judged by.
    #[serde(default)]
    pub observed_generation: i64,
    /// When `status` last changed.
    pub last_transition_time: Timestamp,
    /// Why, as a stable word.
    pub reason: String,
    /// Why, as a sentence.
    pub message: String,
}

/// A condition that should be, before it is known since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its type.
    pub kind: &'static str,
    /// Whether it holds.
    pub status: Truth,
    /// Why, as a stable word.
    pub reason: &'static str,
    /// Why, as a sentence.
    pub message: String,
}

/// What to write: the wanted conditions, sorted by type, each with the time of its last transition. None when that is what is stored.
///
/// Conditions of other types are dropped: the list has one writer.
#[must_use]
pub fn merge(previous: &[Condition], next: Vec<Wanted>, generation: i64, now: Timestamp) -> Option<Vec<Condition>> {
    let before: BTreeMap<_, _> = previous
        .iter()
        .map(|condition| (condition.kind.as_str(), condition))
        .collect();
    let mut merged: Vec<_> = next
        .into_iter()
        .map(|wanted| {
            let same = before
                .get(wanted.kind)
                .filter(|condition| condition.status == wanted.status);
            Condition {
                kind: wanted.kind.to_owned(),
                status: wanted.status,
                observed_generation: generation,
                last_transition_time: same.map_or(now, |condition| condition.last_transition_time),
                reason: wanted.reason.to_owned(),
                message: shortened(wanted.message),
            }
        })
        .collect();
    merged.sort_by(|a, b| a.kind.cmp(&b.kind));
    merged.dedup_by(|a, b| a.kind == b.kind);
    let mut stored = previous.to_vec();
    stored.sort_by(|a, b| a.kind.cmp(&b.kind));
    (merged != stored).then_some(merged)
}

fn shortened(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or_default());
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: Truth, message: &str) -> Wanted {
        Wanted {
            kind: "Ready",
            status,
            reason: "Because",
            message: message.to_owned(),
        }
    }

    #[test]
    fn the_time_moves_only_with_the_status() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let first = merge(&[], vec![ready(Truth::False, "no")], 1, at(10)).unwrap();
        assert_eq!(merge(&first, vec![ready(Truth::False, "no")], 1, at(20)), None);
        let reworded = merge(&first, vec![ready(Truth::False, "not yet")], 2, at(20)).unwrap();
        assert_eq!(
            (reworded[0].last_transition_time, reworded[0].observed_generation),
            (at(10), 2)
        );
        let turned = merge(&reworded, vec![ready(Truth::True, "yes")], 2, at(30)).unwrap();
        assert_eq!(turned[0].last_transition_time, at(30));
    }

    #[test]
    fn a_message_is_bounded_at_a_letter() {
        let long = "é".repeat(MAX_MESSAGE);
        let merged = merge(&[], vec![ready(Truth::True, &long)], 1, Timestamp::UNIX_EPOCH).unwrap();
        assert!(merged[0].message.ends_with('…') && merged[0].message.len() < MAX_MESSAGE + 4);
    }
}
