//! A small validator of JSON Schema, for every schema that is published in `docs`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Why a value does not fit a schema, by the few keywords that these schemas have. Fields that the schema does not
/// know are refused, too.
pub(crate) fn problem(value: &Value, schema: &Map<String, Value>, root: &Value) -> Option<String> {
    schema.iter().find_map(|(keyword, wanted)| {
        let unless =
            |fits: bool| if fits { None } else { Some(format!("{value} does not fit {keyword}: {wanted}")) };
        match keyword.as_str() {
            // What `properties` says of fields without a schema, `additionalProperties` says of maps.
            "title" | "description" | "$schema" | "$defs" => None,
            "const" => unless(value == wanted),
            "enum" => unless(wanted.as_array().unwrap().contains(value)),
            "oneOf" => {
                let fits = |schema: &&Value| problem(value, schema.as_object().unwrap(), root).is_none();
                unless(wanted.as_array().unwrap().iter().filter(fits).count() == 1)
            }
            "additionalProperties" => value
                .as_object()?
                .values()
                .find_map(|field| problem(field, wanted.as_object().unwrap(), root)),
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
        "boolean" => value.is_boolean(),
        _ => false,
    }
}

/// Every field of the value that a schema names, as `definition.field`, so that a test can tell which of them no
/// example has.
pub(crate) fn fields(value: &Value, schema: &Value, root: &Value, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Some(target) = schema["$ref"].as_str() {
        let pointer = target.trim_start_matches('#');
        return fields(value, root.pointer(pointer).unwrap(), root, pointer.rsplit('/').next().unwrap());
    }
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        if problem(value, one.as_object().unwrap(), root).is_none() {
            found.extend(fields(value, one, root, name));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        found.extend(fields(item, &schema["items"], root, name));
    }
    for (field, value) in value.as_object().into_iter().flatten() {
        if let Some(own) = schema["properties"].get(field) {
            found.insert(format!("{name}.{field}"));
            found.extend(fields(value, own, root, name));
        } else {
            found.extend(fields(value, &schema["additionalProperties"], root, name));
        }
    }
    found
}

/// Every field that a schema names, in the same form.
pub(crate) fn published(root: &Value, name: &str) -> BTreeSet<String> {
    let of = |schema: &Value, name: &str| -> Vec<String> {
        let properties = schema["properties"].as_object().into_iter().flatten();
        properties.map(|(field, _)| format!("{name}.{field}")).collect()
    };
    let definitions = root["$defs"].as_object().into_iter().flatten();
    of(root, name).into_iter().chain(definitions.flat_map(|(name, schema)| of(schema, name))).collect()
}
