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
    Some(short(to.duration_since(from).as_secs()))
}

fn short(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |big: i64, unit: &str, small: i64, under: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{under}") }
    };
    match seconds {
        ..0 => "0s".into(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn older_ages_are_less_precise() {
        let shown: Vec<String> = [0, 119, 150, 180, 900, 11_000, 30_000, 180_000, 900_000].map(short).into();
        assert_eq!(shown, ["0s", "119s", "2m30s", "3m", "15m", "3h3m", "8h", "2d2h", "10d"]);
    }
}
