//! Verdicts, times and names in words.

use super::screen::Style;
use jiff::Timestamp;
use vouchsafe_api::{
    Promotion,
    promotion::status::{Outcome, Verdict},
};

/// The word for a verdict that may not be there yet.
pub(crate) fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("(not judged yet)", Verdict::as_str)
}

/// How a verdict is shown.
pub(crate) fn style(verdict: Option<Verdict>) -> Style {
    match verdict {
        Some(Verdict::Cleared) => Style::Good,
        Some(Verdict::Refused | Verdict::Revoked) => Style::Bad,
        Some(Verdict::Superseded) => Style::Dim,
        Some(Verdict::Waiting | Verdict::AwaitingApproval) | None => Style::Wait,
    }
}

/// How an outcome is shown.
pub(crate) fn outcome_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Pass => Style::Good,
        Outcome::Fail => Style::Bad,
        Outcome::Inconclusive | Outcome::Pending | Outcome::Waived => Style::Wait,
    }
}

/// The verdict on a Promotion.
pub(crate) fn of(promotion: &Promotion) -> Option<Verdict> {
    promotion.status.as_ref().and_then(|status| status.verdict)
}

/// What a Promotion waits for, in one line.
pub(crate) fn waiting_for(promotion: &Promotion) -> &str {
    let status = promotion.status.as_ref();
    status
        .and_then(|status| status.waiting_for.as_deref())
        .unwrap_or_default()
}

/// How long ago, as kubectl says it: `45s`, `12m`, `5h`, `3d`.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    span((now.as_second() - then.as_second()).max(0))
}

/// How long until then.
pub(crate) fn until(then: Timestamp, now: Timestamp) -> String {
    span((then.as_second() - now.as_second()).max(0))
}

/// A length of time in its largest unit, two of them where the first is small.
fn span(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (2.., ..) => format!("{days}d"),
        (_, 2.., _) => format!("{hours}h"),
        (_, _, 10..) => format!("{minutes}m"),
        (_, _, 2..) => format!("{minutes}m{}s", seconds % 60),
        _ => format!("{seconds}s"),
    }
}

/// A time as people read it.
pub(crate) fn at(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_told_as_kubectl_tells_them() {
        for (seconds, told) in [
            (0, "0s"),
            (59, "59s"),
            (119, "119s"),
            (125, "2m5s"),
            (600, "10m"),
            (7200, "2h"),
            (172_800, "2d"),
        ] {
            assert_eq!(span(seconds), told);
        }
    }
}
