//! The answers to invalid requests: a 4xx that names the field; the server continues to answer.

use serde_json::json;

use crate::support::{Answer, Running, good};

fn assert_refused(answer: &Answer, status: u16, field: &str) {
    let body = answer.json();
    assert_eq!((answer.status, body["field"].as_str()), (status, Some(field)), "{body}");
    assert!(body["error"].as_str().unwrap().contains("expected"), "{body}");
}

#[test]
fn every_error_is_named_and_the_server_continues() {
    let server = Running::start(&["--service-ms", "0"]);
    let replaced = |from: &str, to: &str| {
        let text = good().to_string();
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let mut few = good();
    few["data"].as_array_mut().unwrap().pop();
    let mut missing = good();
    missing["data"][3]["features"].as_object_mut().unwrap().remove("prb_up");

    let cases = [
        (String::new(), 400, "body"),
        ("{".to_owned(), 400, "body"),
        ("\u{0}".to_owned(), 400, "body"),
        ("[]".to_owned(), 400, "body"),
        ("{}".to_owned(), 400, "data"),
        (format!("{}!", good()), 400, "body"),
        (missing.to_string(), 400, "data[3].features.prb_up"),
        (few.to_string(), 422, "data"),
        (replaced("\"prb_up\":30", "\"prb_up\":NaN"), 400, "data[0].features.prb_up"),
        (replaced("\"prb_up\":30", "\"prb_up\":Infinity"), 400, "data[0].features.prb_up"),
        (replaced("\"prb_up\":30", "\"prb_up\":1e999"), 400, "data[0].features.prb_up"),
        (replaced("\"prb_up\":30", "\"prb_up\":\"30\""), 400, "data[0].features.prb_up"),
        (replaced("\"prb_up\":30", "\"prb_up\":null"), 400, "data[0].features.prb_up"),
        (replaced("\"2024-01-15T10:00:00\"", "0"), 400, "data[0].timestamp"),
        (json!({"data": 30}).to_string(), 400, "data"),
    ];
    let mut client = server.connect();
    for (body, status, field) in cases {
        assert_refused(&client.post(&body), status, field);
    }
    assert_eq!(client.post(&good().to_string()).status, 200);
}

#[test]
fn a_too_long_body_is_413_and_its_client_can_read_the_reason() {
    let body = good().to_string();
    let exact = body.len().to_string();
    let server = Running::start(&["--service-ms", "0", "--max-body", &exact]);
    assert_eq!(server.connect().post(&body).status, 200);
    assert_refused(&server.connect().post(&format!("{body} ")), 413, "body");
    assert_refused(&server.connect().post(&" ".repeat(4_000_000)), 413, "body");

    let mut client = server.connect();
    client.raw("POST /predict HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..100 {
        client.raw(&format!("400\r\n{}\r\n", " ".repeat(0x400)));
    }
    client.raw("0\r\n\r\n");
    assert_refused(&client.receive(), 413, "body");
}

#[test]
fn a_body_that_does_not_arrive_in_time_is_408() {
    let server = Running::start(&["--read-timeout", "0.05"]);
    let mut client = server.connect();
    client.raw("POST /predict HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n{");
    assert_refused(&client.receive(), 408, "body");
}

#[test]
fn a_connection_whose_head_does_not_arrive_in_time_is_closed() {
    let server = Running::start(&["--idle-timeout", "0.05"]);
    let mut client = server.connect();
    client.raw("GET /healthz HTT");
    client.rest();
}

#[test]
fn a_chunk_without_a_length_is_400() {
    let server = Running::start(&[]);
    let mut client = server.connect();
    client.raw("POST /predict HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n");
    assert_refused(&client.receive(), 400, "body");
}

#[test]
fn unknown_paths_and_wrong_methods_are_answered_in_json() {
    let server = Running::start(&[]);
    let mut client = server.connect();
    let answer = client.get("/nowhere");
    assert_eq!(answer.status, 404);
    assert!(answer.json()["error"].as_str().unwrap().contains("/predict"));

    let answer = client.get("/predict");
    assert_eq!(answer.status, 405);
    assert!(answer.json()["error"].as_str().unwrap().contains("POST"));
    assert!(answer.head.contains("allow: post"), "{}", answer.head);
}
