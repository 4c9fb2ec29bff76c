//! Lists of invalid fields.

use serde_json::Value;

/// Invalid fields, each with the reason.
pub(crate) type Causes = Vec<(String, String)>;

pub(crate) fn required(field: &str) -> (String, String) {
    (field.into(), "Required value".into())
}

pub(crate) fn invalid(field: &str, value: &Value, why: &str) -> (String, String) {
    (field.into(), format!("Invalid value: {value}: {why}"))
}

/// Adds a cause for each of these fields whose value is negative.
pub(crate) fn not_negative(spec: &Value, path: &str, fields: &[&str], causes: &mut Causes) {
    for field in fields {
        if spec[*field].as_i64().is_some_and(|value| value < 0) {
            let why = "must be greater than or equal to 0";
            causes.push(invalid(&format!("{path}.{field}"), &spec[*field], why));
        }
    }
}
