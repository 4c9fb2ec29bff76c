//! Schedules of CronJobs, such as `0 2 * * 0`.

use cronexpr::Crontab;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Largest number of missed times that are looked through.
const MAX_MISSED: usize = 10_000;

/// The times at which a CronJob starts Jobs.
#[derive(Clone, Debug)]
pub(crate) struct Schedule(Crontab);

impl Schedule {
    /// Reads a schedule of five fields and the name of a time zone. Without a name, the zone is UTC.
    ///
    /// # Errors
    /// The invalid field of the CronJob's spec, and the reason.
    pub(crate) fn read(schedule: &Value, zone: &Value) -> Result<Self, (&'static str, String)> {
        let text = schedule.as_str().unwrap_or_default();
        if text.split_whitespace().count() != 5 {
            return Err(("schedule", "expected exactly 5 fields".into()));
        }
        let zone = zone.as_str().unwrap_or("UTC");
        if TimeZone::get(zone).is_err() {
            return Err(("timeZone", format!("unknown time zone {zone}")));
        }
        match cronexpr::parse_crontab(&format!("{text} {zone}")) {
            Ok(crontab) => Ok(Self(crontab)),
            Err(error) => {
                Err(("schedule", error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")))
            }
        }
    }

    /// The last scheduled time after `since` and not after `now`, if there is one.
    pub(crate) fn last_missed(&self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let mut missed = None;
        for _ in 0..MAX_MISSED {
            match self.next(missed.unwrap_or(since)) {
                Some(time) if time <= now => missed = Some(time),
                _ => return missed,
            }
        }
        // Far too many: only the last day counts.
        let yesterday = now - SignedDuration::from_hours(24);
        if since < yesterday { self.last_missed(yesterday, now) } else { missed }
    }

    /// The first scheduled time after `time`. `None` if there is none.
    pub(crate) fn next(&self, time: Timestamp) -> Option<Timestamp> {
        self.0.find_next(time).ok().map(|time| time.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(text: &str, zone: &str) -> Schedule {
        Schedule::read(&json!(text), &json!(zone)).unwrap()
    }

    #[test]
    fn the_next_and_the_last_missed_time_follow_the_schedule() {
        let weekly = schedule("0 2 * * 0", "UTC");
        // A Sunday.
        let sunday = time("2026-11-22T02:00:00Z");
        assert_eq!(weekly.next(time("2026-11-21T13:00:00Z")), Some(sunday));
        assert_eq!(weekly.next(sunday), Some(time("2026-11-29T02:00:00Z")), "strictly after");
        assert_eq!(
            weekly.last_missed(time("2026-11-01T00:00:00Z"), time("2026-11-25T00:00:00Z")),
            Some(sunday)
        );
        assert_eq!(weekly.last_missed(sunday, time("2026-11-25T00:00:00Z")), None);
        assert_eq!(weekly.last_missed(time("2026-11-21T00:00:00Z"), sunday), Some(sunday), "now counts");
        let berlin = schedule("30 8 * * *", "Europe/Berlin");
        assert_eq!(berlin.next(time("2026-11-22T00:00:00Z")), Some(time("2026-11-22T07:30:00Z")));
    }

    #[test]
    fn after_years_the_last_missed_time_is_still_found() {
        let minutely = schedule("* * * * *", "UTC");
        let now = time("2026-11-22T06:07:30Z");
        assert_eq!(
            minutely.last_missed(time("2000-01-01T00:00:00Z"), now),
            Some(time("2026-11-22T06:07:00Z"))
        );
    }

    #[test]
    fn invalid_schedules_name_the_field() {
        let field = |text: &str, zone: Value| Schedule::read(&json!(text), &zone).unwrap_err().0;
        for wrong in ["", "* * * *", "@daily", "61 * * * *", "a b c d e", "TZ=UTC * * * * *"] {
            assert_eq!(field(wrong, Value::Null), "schedule", "{wrong}");
        }
        assert_eq!(field("* * * * *", json!("Mars/Olympus")), "timeZone");
    }
}
