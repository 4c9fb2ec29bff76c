//! Numbers in words.

use std::fmt;
use std::time::Duration;

/// `1 replica`, `2 replicas`.
pub fn many<N: Copy + fmt::Display + PartialEq + From<u8>>(count: N, word: &str) -> String {
    let one = N::from(1);
    format!("{count} {word}{}", if count == one { "" } else { "s" })
}

/// Minutes and seconds, for people.
pub fn minutes(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.round()).unwrap_or_default().as_secs();
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}
