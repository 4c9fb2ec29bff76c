//! The current date and time as text.

use std::time::{SystemTime, UNIX_EPOCH};

/// The current time in UTC, for example `2024-01-15T10:00:01`.
pub fn now() -> String {
    // A clock before 1970 is wrong, but it must not stop the server.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    iso(since.as_secs())
}

/// ISO 8601 without a time zone, from seconds since 1970.
///
/// The calendar is Howard Hinnant's `civil_from_days` ("chrono-Compatible Low-Level Date
/// Algorithms"): years begin in March, so that the leap day is the last of its year.
fn iso(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_converted_correctly() {
        // Each from `date -u -d @…`.
        assert_eq!(iso(0), "1970-01-01T00:00:00");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(iso(1_705_312_801), "2024-01-15T10:00:01");
        assert_eq!(iso(1_709_251_199), "2024-02-29T23:59:59");
        assert_eq!(iso(4_107_542_400), "2100-03-01T00:00:00");
    }
}
