//! Ages in the short format of `kubectl`.

use jiff::Timestamp;
use serde_json::Value;

/// The time since `then`. `<unknown>` if there is no time.
pub(crate) fn age(then: &Value) -> String {
    between(then, None).unwrap_or_else(|| "<unknown>".into())
}

/// The time between two times, or until now.
pub(crate) fn between(from: &Value, to: Option<&Value>) -> Option<String> {
    let from: Timestamp = from.as_str()?.parse().ok()?;
    let to: Timestamp = match to {
        Some(to) => to.as_str()?.parse().ok()?,
        None => Timestamp::now(),
    };
    Some(format_seconds(to.duration_since(from).as_secs()))
}

fn format_seconds(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two_units = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    match seconds {
        ..0 => "0s".into(),
        0..120 => format!("{seconds}s"),
        120..600 => two_units(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two_units(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two_units(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::format_seconds;

    #[test]
    fn older_ages_are_less_precise() {
        let shown: Vec<String> =
            [0, 119, 150, 180, 900, 11_000, 30_000, 180_000, 900_000].map(format_seconds).into();
        assert_eq!(shown, ["0s", "119s", "2m30s", "3m", "15m", "3h3m", "8h", "2d2h", "10d"]);
    }
}
