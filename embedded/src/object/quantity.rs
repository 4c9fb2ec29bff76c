//! Quantities of resources: `250m`, `2Gi`, `1.5`, `1e3`.

use serde_json::Value;

/// Suffixes of quantities, and how many thousandths one unit is.
const SUFFIXES: [(&str, i128); 14] = [
    ("Ki", 1000 << 10),
    ("Mi", 1000 << 20),
    ("Gi", 1000 << 30),
    ("Ti", 1000 << 40),
    ("Pi", 1000 << 50),
    ("Ei", 1000 << 60),
    ("m", 1),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("u", 0),
    ("n", 0),
];

/// A quantity in thousandths. `None` if the value is not a quantity.
pub(crate) fn thousandths(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (number, unit) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))
        .unwrap_or((&text, 1000));
    let number: f64 = number.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "thousandths are the finest unit that is needed")]
    let thousandths = (number * unit as f64).ceil() as i128;
    Some(thousandths)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kubernetes_quantities_are_parsed() {
        for (text, expected) in [
            ("250m", 250),
            ("2", 2000),
            ("1.5", 1500),
            ("1Ki", 1_024_000),
            ("2Gi", 2_147_483_648_000),
            ("1k", 1_000_000),
        ] {
            assert_eq!(thousandths(&json!(text)), Some(expected), "{text}");
        }
        assert_eq!(thousandths(&json!(1)), Some(1000));
        assert_eq!(thousandths(&json!("much")), None);
    }
}
