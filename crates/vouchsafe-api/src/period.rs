//! A length of time as people write it: `24h`, `30m`, `1h30m`, `720h`. A Go duration without fractions; a day has no fixed length, so
//! there are no days.

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, str::FromStr};

/// The text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time such as `24h`, `30m` or `1h30m`")]
pub struct ParsePeriodError(String);

/// A length of time, not negative, at most 999999 hours; kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    text: String,
    duration: SignedDuration,
}

/// Digits of one number.
const DIGITS: usize = 6;

impl Period {
    /// So many hours.
    #[must_use]
    pub fn hours(hours: u16) -> Self {
        Self {
            text: format!("{hours}h"),
            duration: SignedDuration::from_hours(hours.into()),
        }
    }

    /// How long it is.
    #[must_use]
    pub fn duration(&self) -> SignedDuration {
        self.duration
    }
}

impl FromStr for Period {
    type Err = ParsePeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = seconds(text).ok_or_else(|| ParsePeriodError(text.to_owned()))?;
        Ok(Self {
            text: text.to_owned(),
            duration: SignedDuration::from_secs(seconds),
        })
    }
}

/// The sum of hours, minutes and seconds, each at most once and in this order.
fn seconds(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut sum = 0;
    for (unit, worth) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        if number.is_empty() || number.len() > DIGITS || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        sum += number.parse::<i64>().ok()? * worth;
        rest = after;
    }
    (!text.is_empty() && rest.is_empty()).then_some(sum)
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.text
    }
}

impl TryFrom<String> for Period {
    type Error = ParsePeriodError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 2,
            "maxLength": 21,
            "pattern": "^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, seconds) in [
            ("24h", 86_400),
            ("30m", 1_800),
            ("1h30m", 5_400),
            ("0s", 0),
            ("1h2m3s", 3_723),
            ("720h", 2_592_000),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.duration(), SignedDuration::from_secs(seconds), "{text}");
            assert_eq!(period.to_string(), text);
        }
        assert_eq!(Period::hours(24), "24h".parse().unwrap());
    }

    #[test]
    fn other_texts_are_not() {
        for text in [
            "", "h", "5", "1d", "-1h", "1.5h", "30m1h", "1h1h", "1000000h", " 1h", "1h ", "+1h", "1H", "٣h",
        ] {
            assert_eq!(text.parse::<Period>(), Err(ParsePeriodError(text.to_owned())), "{text}");
        }
    }
}
