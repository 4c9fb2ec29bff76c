//! The answers to valid requests.

use serde_json::Value;

use crate::support::{Running, good};

const FAST: [&str; 2] = ["--service-ms", "0"];

#[test]
fn a_prediction_has_the_documented_shape() {
    let answer = Running::start(&FAST).predict(&good());
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);

    let answer = answer.json();
    let answer = answer.as_object().unwrap();
    let mut keys: Vec<&str> = answer.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["model", "predictions", "run_id", "timestamp"]);
    assert_eq!(answer["model"], "LSTM");
    let run_id = answer["run_id"].as_str().unwrap();
    assert_eq!(run_id.len(), 32);
    assert!(run_id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{run_id}");
    let shape: String = answer["timestamp"]
        .as_str()
        .unwrap()
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00");
}

/// Checked once against an independent implementation in Python, to 2e-15.
#[test]
fn the_documented_request_has_a_known_answer_for_every_seed() {
    let known: [f64; 11] = [
        -0.106_951_692_829_779_12,
        -0.430_360_961_452_997_4,
        -0.231_163_197_217_410_88,
        -0.107_317_914_757_589_78,
        -0.700_166_401_628_594_2,
        -0.374_309_315_429_117,
        0.775_689_738_270_137_4,
        0.915_006_394_217_639_3,
        -0.123_177_964_227_679_22,
        -0.511_027_773_231_323_6,
        -0.263_062_215_577_089_1,
    ];
    for seed in ["0", "1"] {
        let server = Running::start(&[&FAST[..], &["--seed", seed]].concat());
        let answer = server.predict(&good()).json();
        let predictions: Vec<u64> = answer["predictions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|number| number.as_f64().unwrap().to_bits())
            .collect();
        assert_eq!(predictions, known.map(f64::to_bits), "{answer}");
    }
}

#[test]
fn a_different_input_has_a_different_answer() {
    let server = Running::start(&FAST);
    let before = server.predict(&good()).json()["predictions"].clone();
    let mut body = good();
    body["data"][29]["features"]["sinr_up"] = 3.into();
    let after = server.predict(&body).json()["predictions"].clone();
    for (before, after) in before.as_array().unwrap().iter().zip(after.as_array().unwrap()) {
        assert_ne!(before, after);
    }
}

#[test]
fn the_run_id_stays_the_same_in_a_server_and_depends_on_the_seed() {
    let id = |server: &Running| -> Value { server.predict(&good()).json()["run_id"].clone() };
    let one = Running::start(&FAST);
    let again = Running::start(&FAST);
    let other = Running::start(&[&FAST[..], &["--seed", "7"]].concat());
    assert_eq!(id(&one), id(&one));
    assert_eq!(id(&one), id(&again));
    assert_ne!(id(&one), id(&other));
}

#[test]
fn health_is_ok_and_one_connection_serves_many_requests() {
    let server = Running::start(&FAST);
    let mut client = server.connect();
    for _ in 0..3 {
        let answer = client.get("/healthz");
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ok"}"#));
        assert_eq!(client.post(&good().to_string()).status, 200);
    }
}

#[test]
fn metrics_are_prometheus_text() {
    let mut client = Running::start(&FAST).connect();
    client.get("/metrics"); // Before the first is finished, nothing is.
    let answer = client.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/openmetrics-text"), "{}", answer.head);
    assert!(answer.body.contains("# TYPE inference_requests counter\n"), "{}", answer.body);
    assert!(answer.body.contains("# TYPE inference_service_seconds histogram\n"));
    assert!(answer.body.ends_with("# EOF\n"));
}
