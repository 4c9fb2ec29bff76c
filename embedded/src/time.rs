//! Times in Kubernetes' format: UTC, whole seconds, such as `2026-11-22T06:00:00Z`.

use jiff::Timestamp;
use serde_json::Value;

/// The current time.
pub(crate) fn now() -> String {
    format(Timestamp::now())
}

/// A time as text.
pub(crate) fn format(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time in a field, if the field holds one.
pub(crate) fn parse(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}
