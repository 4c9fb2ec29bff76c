//! Rules for the strategy and the deadline of a Deployment.

use serde_json::Value;

use super::causes::{Causes, invalid, not_negative};

const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/// Checks the parts of a Deployment's spec that a ReplicaSet does not have.
pub(super) fn spec(spec: &Value, causes: &mut Causes) {
    not_negative(spec, "spec", &["progressDeadlineSeconds"], causes);
    let min_ready = spec["minReadySeconds"].as_i64().unwrap_or(0);
    if spec["progressDeadlineSeconds"].as_i64().is_some_and(|deadline| deadline <= min_ready) {
        let why = "must be greater than minReadySeconds";
        causes.push(invalid("spec.progressDeadlineSeconds", &spec["progressDeadlineSeconds"], why));
    }
    let strategy = &spec["strategy"];
    match strategy["type"].as_str() {
        Some("Recreate") if strategy["rollingUpdate"].is_null() => {}
        Some("Recreate") => {
            let why = "Forbidden: may not be specified when strategy `type` is 'Recreate'".to_owned();
            causes.push(("spec.strategy.rollingUpdate".into(), why));
        }
        Some("RollingUpdate") => rolling_update(&strategy["rollingUpdate"], causes),
        _ => {
            let why = format!(
                "Unsupported value: {}: supported values: \"Recreate\", \"RollingUpdate\"",
                strategy["type"]
            );
            causes.push(("spec.strategy.type".into(), why));
        }
    }
}

fn rolling_update(limits: &Value, causes: &mut Causes) {
    const PATH: &str = "spec.strategy.rollingUpdate";
    for field in ["maxUnavailable", "maxSurge"] {
        let (value, path) = (&limits[field], format!("{PATH}.{field}"));
        match value {
            Value::String(text) if !is_percentage(text) => causes.push(invalid(&path, value, PERCENT)),
            // Kubernetes accepts this, but a percentage that is not an int32 has no use.
            Value::String(_) if percentage(value).is_none() => {
                causes.push(invalid(&path, value, &format!("must be less than or equal to {}%", i32::MAX)));
            }
            _ => not_negative(limits, PATH, &[field], causes),
        }
    }
    let unavailable = &limits["maxUnavailable"];
    if percentage(unavailable).is_some_and(|percent| percent > 100) {
        causes.push(invalid(&format!("{PATH}.maxUnavailable"), unavailable, "must not be greater than 100%"));
    }
    let is_zero = |value: &Value| value.as_i64().or(percentage(value).map(i64::from)) == Some(0);
    if is_zero(unavailable) && is_zero(&limits["maxSurge"]) {
        let why = "may not be 0 when `maxSurge` is 0";
        causes.push(invalid(&format!("{PATH}.maxUnavailable"), unavailable, why));
    }
}

fn is_percentage(text: &str) -> bool {
    let digits = text.strip_suffix('%').unwrap_or_default();
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

fn percentage(value: &Value) -> Option<i32> {
    value.as_str()?.strip_suffix('%')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn causes(surge: &Value, unavailable: &Value) -> Vec<String> {
        let mut causes = Causes::new();
        let limits = json!({ "maxSurge": surge, "maxUnavailable": unavailable });
        spec(&json!({ "strategy": { "type": "RollingUpdate", "rollingUpdate": limits } }), &mut causes);
        causes.into_iter().map(|(field, why)| format!("{field}: {why}")).collect()
    }

    #[test]
    fn valid_limits_are_accepted() {
        for (surge, unavailable) in [
            (json!(1), json!(0)),
            (json!("0%"), json!("100%")),
            (json!("250%"), json!(7)),
            (json!("1%"), json!("0%")),
        ] {
            assert_eq!(causes(&surge, &unavailable), [""; 0], "{surge} {unavailable}");
        }
    }

    #[test]
    fn malformed_limits_and_two_zeros_are_refused() {
        const PATH: &str = "spec.strategy.rollingUpdate";
        for wrong in ["", "%", "5", "-5%", "5%%", "1.5%", "+5%", "many"] {
            let expected = format!("{PATH}.maxSurge: Invalid value: {wrong:?}: {PERCENT}");
            assert_eq!(causes(&json!(wrong), &json!(1)), [expected]);
        }
        let expected = format!(
            "{PATH}.maxSurge: Invalid value: \"9000000000000000000%\": must be less than or equal to 2147483647%"
        );
        assert_eq!(causes(&json!("9000000000000000000%"), &json!(1)), [expected]);
        let expected =
            format!("{PATH}.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%");
        assert_eq!(causes(&json!(1), &json!("101%")), [expected]);
        for (surge, unavailable) in
            [(json!(0), json!(0)), (json!("0%"), json!("0%")), (json!(0), json!("00%"))]
        {
            let expected = format!(
                "{PATH}.maxUnavailable: Invalid value: {unavailable}: may not be 0 when `maxSurge` is 0"
            );
            assert_eq!(causes(&surge, &unavailable), [expected]);
        }
        let expected = format!("{PATH}.maxSurge: Invalid value: -1: must be greater than or equal to 0");
        assert_eq!(causes(&json!(-1), &json!(1)), [expected]);
    }
}
