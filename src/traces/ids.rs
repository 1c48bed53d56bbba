//! Ids of traces and spans, which follow from what they are of: whoever leads next goes on with the same trace.

use jiff::Timestamp;
use opentelemetry::{SpanId, TraceId};
use vouchsafe_core::digest::Digest;

/// The trace of an object: the 128 bits of its uid, so that who has the one has the other. What is no UUID is hashed.
pub(super) fn trace(uid: &str) -> TraceId {
    let digits: String = uid.chars().filter(|letter| *letter != '-').collect();
    let bits = Some(digits).filter(|digits| digits.len() == 32);
    let bits = bits.and_then(|digits| u128::from_str_radix(&digits, 16).ok());
    let bits = bits.filter(|bits| *bits != 0);
    TraceId::from(bits.unwrap_or_else(|| first_bits(uid)))
}

/// The span of this name that began then. `part` tells several apart.
pub(super) fn span(trace: TraceId, name: &str, begun: Timestamp, part: &str) -> SpanId {
    of(&format!("{trace}/{name}/{}/{part}", begun.as_nanosecond()))
}

/// The span that all others of a trace are in.
pub(super) fn root(trace: TraceId) -> SpanId {
    of(&format!("{trace}/root"))
}

/// Whether a trace is in the share of those that are kept: by the 56 bits that are random in a trace's id, which a uid has as well. The same
/// answer each time.
pub(super) fn is_in(trace: TraceId, share: f64) -> bool {
    const BITS: u64 = 1 << 56;
    let [.., a, b, c, d, e, f, g] = trace.to_bytes();
    let random = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
    #[expect(clippy::cast_precision_loss, reason = "53 bits of 56 are as good as all")]
    let at = random as f64 / BITS as f64;
    at < share
}

/// 64 bits of a digest; 0 is no id.
fn of(words: &str) -> SpanId {
    let bits = first_bits(words) >> 64;
    SpanId::from(u64::try_from(bits).unwrap_or_default().max(1))
}

fn first_bits(words: &str) -> u128 {
    let hex = Digest::of(words.as_bytes()).hex();
    let first = hex.get(..32).and_then(|first| u128::from_str_radix(first, 16).ok());
    first.unwrap_or_default().max(1)
}

#[cfg(test)]
mod tests {
    use super::{is_in, root, span, trace};
    use jiff::Timestamp;
    use opentelemetry::{SpanId, TraceId};
    use std::collections::BTreeSet;

    const UID: &str = "9f0c2a52-51c4-4b87-9d0e-6a7c1f30b5e4";

    #[test]
    fn a_trace_has_its_promotions_uid() {
        assert_eq!(trace(UID).to_string(), UID.replace('-', ""));
        assert_eq!(trace(&UID.to_uppercase()), trace(UID));
        for odd in [
            "",
            "0",
            "not-a-uuid",
            &"0".repeat(32),
            &"g".repeat(32),
            "+f0c2a5251c44b879d0e6a7c1f30b5e4",
        ] {
            assert_ne!(trace(odd), TraceId::INVALID, "`{odd}`");
            assert_eq!(trace(odd), trace(odd));
        }
        assert_ne!(trace("one"), trace("two"));
    }

    #[test]
    fn spans_are_told_apart_by_all_that_they_are_of_and_come_out_the_same_again() {
        let (ours, other) = (trace(UID), trace("another"));
        let [early, late] = [1, 2].map(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).unwrap());
        let all = || {
            [
                root(ours),
                root(other),
                span(ours, "decide", early, ""),
                span(other, "decide", early, ""),
                span(ours, "ledger", early, ""),
                span(ours, "decide", late, ""),
                span(ours, "decide", early, "1"),
            ]
        };
        let different: BTreeSet<_> = all().map(SpanId::to_bytes).into();
        assert_eq!(different.len(), all().len());
        assert!(!all().contains(&SpanId::INVALID));
        assert_eq!(all(), all());
        // Another version of the program goes on with the same ids.
        assert_eq!(root(ours).to_string(), "e4abe29cb62e0c44");
    }

    #[test]
    fn the_share_is_a_share_and_the_same_each_time() {
        let uids: Vec<_> = (0..4000_u64)
            .map(|number| {
                let words = super::first_bits(&number.to_string());
                // As API servers make them: version 4, variant 1.
                TraceId::from((words & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62))
            })
            .collect();
        let taken = |share| uids.iter().filter(|trace| is_in(**trace, share)).count();
        assert_eq!((taken(0.0), taken(1.0)), (0, uids.len()));
        let tenth = taken(0.1);
        assert!((300..500).contains(&tenth), "{tenth} of {}", uids.len());
        assert!(uids.iter().all(|trace| !is_in(*trace, 0.1) || is_in(*trace, 0.2)));
    }
}
