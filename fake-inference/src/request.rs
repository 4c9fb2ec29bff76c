//! The body of `POST /predict`, and its errors.

use std::fmt;
use std::marker::PhantomData;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::lstm::{INPUTS, STEPS};
use crate::problem::Problem;

/// The features of one time step, in the order of the model's inputs.
pub const FEATURES: [&str; INPUTS] = [
    "down",
    "up",
    "rnti_count",
    "mcs_down",
    "mcs_up",
    "bler_down",
    "bler_up",
    "prb_down",
    "prb_up",
    "sinr_down",
    "sinr_up",
];

/// Reads a body: 30 steps of 11 finite numbers, oldest first. The error names the wrong field.
///
/// Unknown keys are ignored. A timestamp may be any string that is not empty, because the model does
/// not use it.
pub fn parse(body: &[u8]) -> Result<Box<[[f64; INPUTS]; STEPS]>, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let request: Object<Request> =
        serde_path_to_error::deserialize(&mut json).map_err(|error| explain(&error))?;
    json.end().map_err(|error| wrong("body", &error.to_string()))?;

    let steps = request.0.data;
    if let Some(at) = steps.iter().position(|step| step.0.timestamp.is_empty()) {
        return Err(wrong(&format!("data[{at}].timestamp"), "an empty string"));
    }
    let features: Box<[[f64; INPUTS]]> = steps.iter().map(|step| step.0.features.0.in_order()).collect();
    features.try_into().map_err(|steps: Box<[_]>| {
        let error = format!("{} steps; expected {}", steps.len(), expected("data"));
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error).at("data")
    })
}

/// serde reports the path of the object that lacks a field; the error shall give the path of the field.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let text = error.inner().to_string();
    // "." is the root, and "?" a key that serde has not read.
    let path = error.path().to_string();
    let path = path.trim_end_matches(".?").trim_matches(['.', '?']);
    let missing =
        text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')).map(|(name, _)| name);
    let field = match (path, missing) {
        ("", None) => "body".to_owned(),
        ("", Some(name)) => name.to_owned(),
        (path, None) => path.to_owned(),
        (path, Some(name)) => format!("{path}.{name}"),
    };
    wrong(&field, &text)
}

fn wrong(field: &str, what: &str) -> Problem {
    let error = format!("{what}; expected {}", expected(field));
    Problem::new(StatusCode::BAD_REQUEST, error).at(field)
}

fn expected(field: &str) -> &'static str {
    let last = field.rsplit('.').next().unwrap_or_default();
    match last {
        "data" => "exactly 30 steps, oldest first",
        "timestamp" => "a string such as \"2024-01-15T10:00:00\"",
        "features" => "an object with the 11 features",
        name if FEATURES.contains(&name) => "a finite number",
        step if step.starts_with("data[") => "an object {\"timestamp\", \"features\"}",
        _ => "JSON: {\"data\": [30 × {\"timestamp\": \"…\", \"features\": {11 numbers}}]}",
    }
}

#[derive(Deserialize)]
struct Request {
    data: Vec<Object<Step>>,
}

#[derive(Deserialize)]
struct Step {
    timestamp: String,
    features: Object<Features>,
}

#[derive(Deserialize)]
struct Features {
    down: f64,
    up: f64,
    rnti_count: f64,
    mcs_down: f64,
    mcs_up: f64,
    bler_down: f64,
    bler_up: f64,
    prb_down: f64,
    prb_up: f64,
    sinr_down: f64,
    sinr_up: f64,
}

impl Features {
    /// In the order of [`FEATURES`].
    fn in_order(&self) -> [f64; INPUTS] {
        [
            self.down,
            self.up,
            self.rnti_count,
            self.mcs_down,
            self.mcs_up,
            self.bler_down,
            self.bler_up,
            self.prb_down,
            self.prb_up,
            self.sinr_down,
            self.sinr_up,
        ]
    }
}

/// A struct that must be a JSON object: serde itself would also accept an array of its fields.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMaps<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMaps<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(OnlyMaps(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn good() -> Value {
        let features: Value = FEATURES.iter().zip(1..).map(|(name, at)| (*name, at)).collect();
        let step = json!({"timestamp": "2024-01-15T10:00:00", "features": features});
        json!({"data": vec![step; STEPS]})
    }

    fn field_of(body: &Value) -> (u16, String) {
        let problem = parse(body.to_string().as_bytes()).unwrap_err();
        (problem.status.as_u16(), problem.field.unwrap())
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "they must be exactly the numbers that were sent")]
    fn features_come_in_the_documented_order_and_unknown_keys_are_ignored() {
        let mut body = good();
        body["note"] = json!("hello");
        body["data"][0]["features"]["down"] = json!(1234.56);
        let steps = parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(steps[0], [1234.56, 2., 3., 4., 5., 6., 7., 8., 9., 10., 11.]);
        assert_eq!(steps[29], [1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11.]);
    }

    #[test]
    fn every_missing_feature_is_named() {
        for name in FEATURES {
            let mut body = good();
            body["data"][3]["features"].as_object_mut().unwrap().remove(name);
            assert_eq!(field_of(&body), (400, format!("data[3].features.{name}")));
        }
    }

    #[test]
    fn missing_objects_are_named() {
        assert_eq!(field_of(&json!({})), (400, "data".to_owned()));
        let mut body = good();
        body["data"][7].as_object_mut().unwrap().remove("features");
        assert_eq!(field_of(&body), (400, "data[7].features".to_owned()));
        let mut body = good();
        body["data"][7].as_object_mut().unwrap().remove("timestamp");
        assert_eq!(field_of(&body), (400, "data[7].timestamp".to_owned()));
    }

    #[test]
    fn wrong_types_are_named() {
        for wrong in [json!("5"), json!(null), json!(true), json!([1]), json!({})] {
            let mut body = good();
            body["data"][3]["features"]["prb_up"] = wrong;
            assert_eq!(field_of(&body), (400, "data[3].features.prb_up".to_owned()));
        }
        let mut body = good();
        body["data"][3]["features"] = json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(field_of(&body), (400, "data[3].features".to_owned()));
        let mut body = good();
        body["data"][3] = json!(["2024-01-15T10:00:00", {}]);
        assert_eq!(field_of(&body), (400, "data[3]".to_owned()));
        let mut body = good();
        body["data"][3]["timestamp"] = json!(1_705_312_800);
        assert_eq!(field_of(&body), (400, "data[3].timestamp".to_owned()));
        body["data"][3]["timestamp"] = json!("");
        assert_eq!(field_of(&body), (400, "data[3].timestamp".to_owned()));
        assert_eq!(field_of(&json!({"data": {}})), (400, "data".to_owned()));
        assert_eq!(field_of(&json!([])), (400, "body".to_owned()));
    }

    #[test]
    fn numbers_that_are_not_finite_are_named() {
        for number in ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "nan"] {
            let text = good().to_string().replacen("\"prb_up\":9", &format!("\"prb_up\":{number}"), 1);
            let problem = parse(text.as_bytes()).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("data[0].features.prb_up"), "{number}");
            assert!(problem.error.contains("expected a finite number"), "{}", problem.error);
        }
    }

    #[test]
    fn a_wrong_number_of_steps_is_422() {
        for count in [0, 1, 29, 31] {
            let step = good()["data"][0].clone();
            let body = json!({"data": vec![step; count]});
            assert_eq!(field_of(&body), (422, "data".to_owned()), "{count} steps");
        }
    }

    #[test]
    fn text_that_is_not_json_is_refused() {
        let hex = good().to_string().replacen("\"prb_up\":9", "\"prb_up\":0x9", 1);
        let field = parse(hex.as_bytes()).unwrap_err().field;
        assert_eq!(field.as_deref(), Some("data[0].features"));
        for text in ["", "{", "{}x", "data=1", "\u{0}", "[[[["] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        let trailing = format!("{} {{}}", good());
        assert_eq!(parse(trailing.as_bytes()).unwrap_err().field.as_deref(), Some("body"));
        let deep = "[".repeat(100_000);
        assert!(parse(format!("{{\"x\":{deep}").as_bytes()).is_err());
        assert!(parse(format!("{{\"data\":{deep}").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_body_causes_a_panic_and_every_error_names_a_field(
            at in 0_usize..4000, garbage in prop::collection::vec(any::<u8>(), 0..8),
        ) {
            let mut body = good().to_string().into_bytes();
            let at = at.min(body.len());
            body.splice(at..(at + garbage.len()).min(body.len()), garbage);
            if let Err(problem) = parse(&body) {
                prop_assert!(problem.field.is_some_and(|field| !field.is_empty()));
            }
        }
    }
}
