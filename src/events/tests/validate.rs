//! A small validator of JSON Schema.

use serde_json::{Map, Value};

/// Why a value does not fit a schema, by the few keywords that this schema has. Fields that the schema does not
/// know are refused, too.
pub(super) fn problem(value: &Value, schema: &Map<String, Value>, root: &Value) -> Option<String> {
    schema.iter().find_map(|(keyword, wanted)| {
        let unless =
            |fits: bool| if fits { None } else { Some(format!("{value} does not fit {keyword}: {wanted}")) };
        match keyword.as_str() {
            "title" | "description" => None,
            "const" => unless(value == wanted),
            "type" => {
                let types = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
                unless(types.iter().any(|name| has_type(value, name.as_str().unwrap())))
            }
            "minimum" => unless(value.is_null() || value.as_f64() >= wanted.as_f64()),
            "required" => wanted.as_array().unwrap().iter().find_map(|field| {
                let field = field.as_str().unwrap();
                value.get(field).is_none().then(|| format!("{field} is missing"))
            }),
            "properties" => value.as_object()?.iter().find_map(|(name, field)| match wanted.get(name) {
                Some(schema) => problem(field, schema.as_object().unwrap(), root),
                None => Some(format!("{name} is not in the schema")),
            }),
            "items" => {
                value.as_array()?.iter().find_map(|item| problem(item, wanted.as_object().unwrap(), root))
            }
            "$ref" => {
                let target = wanted.as_str().unwrap().trim_start_matches('#');
                problem(value, root.pointer(target).unwrap().as_object().unwrap(), root)
            }
            other => Some(format!("this test does not know the keyword {other}")),
        }
    })
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
