//! Records of version 2 as records of this version.
//!
//! Version 2 counted response times in whole ms, had other names for some fields, and stored the verdict that
//! was given when it was recorded. Verdicts are given anew from what was observed, so that one is dropped.

use serde_json::{Map, Value};

/// The oldest version that is read.
pub(crate) const OLDEST: u64 = 2;

/// The fields that are histograms.
const HISTOGRAMS: [&str; 5] = ["histogram", "succeeded", "from_send", "primary", "lag"];

/// A record of version 2, upgraded.
pub(crate) fn upgrade(mut record: Value) -> Value {
    if let Some(fields) = record.as_object_mut() {
        fields.insert("version".into(), crate::VERSION.into());
        fields.remove("verdict");
        rename(fields, "setting", "environment");
        rename(fields, "course", "stopping_rule");
        rename(fields, "parts", "intervals");
        fields.entry("intervals").or_insert_with(|| Value::Array(Vec::new()));
        fields.entry("stopping_rule").or_insert(Value::Null);
        if let Some(unmeasured) = fields.get_mut("unmeasured").and_then(Value::as_object_mut) {
            kind_of_obstacle(unmeasured);
        }
    }
    to_microseconds(&mut record);
    record
}

fn rename(fields: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}

/// Version 2 stored a verdict as the reason why nothing was measured.
fn kind_of_obstacle(unmeasured: &mut Map<String, Value>) {
    let kind = match unmeasured.remove("judgement").as_ref().and_then(Value::as_str) {
        Some("INFEASIBLE") => "no_place",
        Some("VOID") => "disturbed",
        _ => "broken",
    };
    unmeasured.insert("kind".into(), kind.into());
}

/// Turns every histogram and every sample from ms to µs. (The goals of an objective stay in ms.)
fn to_microseconds(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(to_microseconds),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Array(samples) if name == "samples" => samples.iter_mut().for_each(sample),
                    Value::Object(counts) if HISTOGRAMS.contains(&name.as_str()) => {
                        *counts = std::mem::take(counts)
                            .into_iter()
                            .map(|(ms, count)| (if ms == "0" { ms } else { ms + "000" }, count))
                            .collect();
                    }
                    other => to_microseconds(other),
                }
            }
        }
        _ => {}
    }
}

fn sample(sample: &mut Value) {
    let Some(fields) = sample.as_object_mut() else { return };
    for (from, to) in [("p50_ms", "p50_us"), ("p95_ms", "p95_us")] {
        let ms = fields.remove(from).as_ref().and_then(Value::as_u64);
        fields.insert(to.to_owned(), ms.map(|ms| ms * 1000).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_units_and_obstacles_are_those_of_this_version() {
        let old = json!({
            "version": 2, "verdict": {"judgement": "VALID", "reasons": []},
            "setting": {"primary": "POST /predict"}, "parts": [{"primary": {"100": 3}}],
            "window": {"endpoints": [{"histogram": {"0": 1, "12": 5}, "total_ms": 60.0}]},
            "workers": [{"opening": {"lag": {"3": 1}}}],
            "samples": [{"p50_ms": 20, "p95_ms": null}],
            "objective": {"p95_ms": 500},
            "unmeasured": {"judgement": "INFEASIBLE", "reasons": ["no room"]},
        });
        let expected = json!({
            "version": crate::VERSION,
            "environment": {"primary": "POST /predict"}, "intervals": [{"primary": {"100000": 3}}],
            "window": {"endpoints": [{"histogram": {"0": 1, "12000": 5}, "total_ms": 60.0}]},
            "workers": [{"opening": {"lag": {"3000": 1}}}],
            "samples": [{"p50_us": 20_000, "p95_us": null}],
            "objective": {"p95_ms": 500},
            "unmeasured": {"kind": "no_place", "reasons": ["no room"]},
            "stopping_rule": null,
        });
        assert_eq!(upgrade(old), expected);
    }
}
