//! The events, their JSON and the published schema agree.

mod examples;
pub(crate) mod validate;

use std::collections::{BTreeMap, BTreeSet};

use examples::{examples, name};
use serde_json::Value;
use validate::problem;

use super::Progress;

const SCHEMA: &str = include_str!("../../docs/events.schema.json");

fn json(event: &Progress) -> Value {
    serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap()
}

/// The schema of each event by its name.
fn schemas() -> (Value, BTreeMap<String, Value>) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let events = schema["oneOf"].as_array().unwrap().iter();
    let by_name = events
        .map(|event| (event["properties"]["event"]["const"].as_str().unwrap().to_owned(), event.clone()));
    let by_name = by_name.collect();
    (schema, by_name)
}

#[test]
fn every_event_is_a_json_object_that_the_schema_accepts() {
    let (root, schemas) = schemas();
    for (event, _) in examples() {
        let value = json(&event);
        assert_eq!(value["event"], name(&event));
        let schema = schemas[name(&event)].as_object().unwrap();
        assert_eq!(problem(&value, schema, &root), None, "{value}");
        assert!(!serde_json::to_string(&event).unwrap().contains('\n'), "an event is one line");
    }
}

#[test]
fn the_schema_has_each_event_and_each_field_and_no_others() {
    let (_, schemas) = schemas();
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (event, _) in examples() {
        let fields = json(&event).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        seen.entry(name(&event).to_owned()).or_default().extend(fields);
    }
    let published: BTreeMap<String, BTreeSet<String>> = schemas
        .into_iter()
        .map(|(name, schema)| (name, schema["properties"].as_object().unwrap().keys().cloned().collect()))
        .collect();
    assert_eq!(published, seen);
}

#[test]
fn a_wrong_type_a_missing_field_and_an_unknown_field_do_not_fit_the_schema() {
    let (root, schemas) = schemas();
    let schema = schemas["run_ended"].as_object().unwrap();
    let event = json(&Progress::RunEnded { recorded: 4, valid: 3, took_s: 150.0 });
    for (field, wrong) in
        [("valid", Value::from("3")), ("valid", Value::from(-1)), ("event", Value::from("retry"))]
    {
        let mut event = event.clone();
        event[field] = wrong;
        assert!(problem(&event, schema, &root).is_some(), "{event}");
    }
    let mut missing = event.clone();
    missing.as_object_mut().unwrap().remove("took_s");
    assert!(problem(&missing, schema, &root).is_some(), "{missing}");
    let mut unknown = event;
    unknown["other"] = Value::from(1);
    assert!(problem(&unknown, schema, &root).is_some(), "{unknown}");
}

#[test]
fn every_event_has_a_line_for_people() {
    for (event, line) in examples() {
        assert_eq!(event.to_string(), line, "{}", name(&event));
    }
}
