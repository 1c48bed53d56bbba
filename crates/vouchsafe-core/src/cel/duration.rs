//! Durations as CEL writes them: `1h30m`, `-1.5s`, `300ms`. Not days: as in Kubernetes, `7d` is refused.

use jiff::SignedDuration;

/// Reads a duration.
pub(super) fn read(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut nanos: i128 = 0;
    loop {
        let (part, after) = part(rest)?;
        nanos = nanos.checked_add(part)?;
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    let nanos = if negative { -nanos } else { nanos };
    let seconds = i64::try_from(nanos / 1_000_000_000).ok()?;
    let fraction = i32::try_from(nanos % 1_000_000_000).ok()?;
    Some(SignedDuration::new(seconds, fraction))
}

/// A number and its unit, in nanoseconds; and what follows.
fn part(text: &str) -> Option<(i128, &str)> {
    let whole_end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (whole, rest) = text.split_at(whole_end);
    let (fraction, rest) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => rest.split_at(rest.find(|letter: char| !letter.is_ascii_digit())?),
    };
    if whole.is_empty() && fraction.is_empty() || whole.len() > 18 || fraction.len() > 9 {
        return None;
    }
    let (unit, rest) = unit(rest)?;
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some((
        whole
            .checked_mul(unit)?
            .checked_add(fraction.checked_mul(unit)? / scale)?,
        rest,
    ))
}

fn unit(text: &str) -> Option<(i128, &str)> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
    ];
    UNITS
        .iter()
        .find_map(|(name, nanos)| text.strip_prefix(name).map(|rest| (*nanos, rest)))
}
