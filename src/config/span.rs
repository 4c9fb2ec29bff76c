//! Durations as people write them: `20s`, `2m`, `1h20m`, `500ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration of zero or more, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    /// A duration of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A duration of whole milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// The duration as the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// The duration in seconds.
    pub fn secs(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// Whether the duration is zero.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

/// A year is longer than any load test, and short enough that sums of durations cannot overflow.
const LONGEST: Duration = Duration::from_hours(366 * 24);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            let problem = match text.trim().parse::<f64>() {
                Ok(number) if number < 0.0 => "is less than 0".to_owned(),
                Ok(_) => "has no unit".to_owned(),
                Err(_) if text.trim_start().starts_with('-') => "is less than 0".to_owned(),
                Err(_) => "is not a time".to_owned(),
            };
            format!("'{text}' {problem}; write one such as 500ms, 20s, 2m or 1h20m")
        };
        let signed: SignedDuration = text.trim().parse().map_err(|_| refused())?;
        let duration = Duration::try_from(signed).map_err(|_| refused())?;
        if duration > LONGEST {
            return Err(format!("'{text}' is longer than a year"));
        }
        Ok(Self(Duration::from_millis(u64::try_from(duration.as_millis()).map_err(|_| refused())?)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match (millis % 1000, millis / 1000) {
            (0, seconds) => match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
                (0, 0, s) => write!(f, "{s}s"),
                (0, m, 0) => write!(f, "{m}m"),
                (0, m, s) => write!(f, "{m}m{s}s"),
                (h, 0, 0) => write!(f, "{h}h"),
                (h, m, 0) => write!(f, "{h}h{m}m"),
                (h, m, s) => write!(f, "{h}h{m}m{s}s"),
            },
            _ => write!(f, "{millis}ms"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl TimeVisitor {
    /// A number without a unit. Only zero is the same in each of them.
    fn bare<E: de::Error>(number: f64) -> Result<Span, E> {
        if number == 0.0 {
            return Ok(Span(Duration::ZERO));
        }
        Err(E::custom(format!(
            "{number} has no unit; write {number}s if it is seconds, or one such as 500ms or 2m"
        )))
    }
}

impl Visitor<'_> for TimeVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as 500ms, 20s, 2m or 1h20m")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        match text.trim().parse::<f64>() {
            Ok(number) => Self::bare(number),
            Err(_) => text.parse().map_err(E::custom),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Span, E> {
        Self::bare(number as f64)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Span, E> {
        Self::bare(number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Span, E> {
        Self::bare(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn common_ways_to_write_a_duration_are_understood() {
        for (text, millis) in
            [("20s", 20_000), ("2m", 120_000), ("1h20m", 4_800_000), ("500ms", 500), ("0s", 0)]
        {
            assert_eq!(text.parse::<Span>().unwrap().get(), Duration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_duration_is_refused() {
        for text in ["", "20", "-5s", "soon", "1e9h", "999999h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        for (text, problem) in [
            ("-5", "is less than 0"),
            ("-5s", "is less than 0"),
            ("5", "has no unit"),
            ("0", "has no unit"),
            ("soon", "is not a time"),
        ] {
            let said = text.parse::<Span>().map(|span| span.to_string());
            assert!(said.as_ref().is_err_and(|said| said.contains(problem)), "{text}: {said:?}");
        }
    }

    proptest! {
        #[test]
        fn a_displayed_duration_is_read_back_unchanged(millis in 0..31_000_000_000_u64) {
            let span = Span(Duration::from_millis(millis));
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
    }
}
