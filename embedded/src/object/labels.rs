//! Label selectors inside objects.

use serde_json::Value;

/// Whether labels satisfy a `LabelSelector`. An empty selector selects everything.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let all_equal = equal.into_iter().all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    all_equal && expressions.into_iter().all(|expression| satisfies(expression, labels))
}

fn satisfies(expression: &Value, labels: &Value) -> bool {
    let label = labels.get(expression["key"].as_str().unwrap_or_default());
    let is_listed =
        || expression["values"].as_array().is_some_and(|values| values.iter().any(|v| Some(v) == label));
    match expression["operator"].as_str() {
        Some("In") => is_listed(),
        Some("NotIn") => !is_listed(),
        Some("Exists") => label.is_some(),
        Some("DoesNotExist") => label.is_none(),
        _ => false,
    }
}

/// Whether labels contain every pair of a Service's selector. An empty selector selects nothing.
pub(crate) fn service_selects(selector: &Value, labels: &Value) -> bool {
    let pairs = selector.as_object().filter(|pairs| !pairs.is_empty());
    pairs.is_some_and(|pairs| pairs.iter().all(|(key, value)| labels.get(key) == Some(value)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_requires_all_of_its_pairs_and_expressions() {
        let labels = json!({ "app": "a", "role": "b" });
        assert!(selects(&json!({ "matchLabels": { "app": "a" } }), &labels));
        assert!(!selects(&json!({ "matchLabels": { "app": "a", "x": "y" } }), &labels));
        let expression = |operator: &str| json!({ "matchExpressions": [{ "key": "app", "operator": operator, "values": ["a"] }] });
        assert!(selects(&expression("In"), &labels) && selects(&expression("Exists"), &labels));
        assert!(!selects(&expression("NotIn"), &labels) && !selects(&expression("DoesNotExist"), &labels));
        assert!(service_selects(&json!({ "app": "a" }), &labels));
        assert!(!service_selects(&json!({}), &labels), "a Service without a selector has no pods");
    }
}
