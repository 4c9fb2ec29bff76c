//! Damaged HTTP requests on a TLS connection: the server answers or closes, and goes on.

#[path = "../../../tests/fuzz/damage.rs"]
mod damage;
#[path = "../../../tests/fuzz/runner.rs"]
mod runner;

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Cluster, DEADLINE, config_map, deployment, pod};
use damage::damaged;
use runner::fuzz;

/// Requests as clients send them. `@` stands for the admin's token, and comes after the damage.
fn corpus() -> Vec<String> {
    let with_body = |method: &str, path: &str, media: &str, body: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer @\r\ncontent-type: {media}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let get = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer @\r\nconnection: close\r\n\r\n")
    };
    let json = "application/json";
    let namespace = "/api/v1/namespaces/default";
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    vec![
        get("/version"),
        get(&format!("{namespace}/pods?labelSelector=app%3Dx&limit=500")),
        get(&format!("{namespace}/configmaps?watch=1&timeoutSeconds=0&resourceVersion=1")),
        with_body("POST", &format!("{namespace}/pods"), json, &pod("b").to_string()),
        with_body("POST", deployments, json, &deployment("b").to_string()),
        with_body("PUT", &format!("{namespace}/configmaps/a"), json, &config_map("a").to_string()),
        with_body(
            "PATCH",
            &format!("{deployments}/a?fieldManager=m&force=true"),
            "application/apply-patch+yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 2}\n",
        ),
        with_body(
            "PATCH",
            &format!("{deployments}/a/scale"),
            "application/merge-patch+json",
            r#"{"spec": {"replicas": 3}}"#,
        ),
        with_body("DELETE", &format!("{namespace}/configmaps/a"), json, r#"{"gracePeriodSeconds": 0}"#),
    ]
}

#[test]
fn fuzz_damaged_requests_are_answered_or_cut_off_and_the_server_goes_on() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cluster = runtime.block_on(Cluster::start());
    fuzz(150, &damaged(corpus(), 4), |text| {
        let request = text.replace('@', cluster.tokens.admin());
        runtime.block_on(async {
            let mut stream = cluster.connect().await;
            // The server may close the connection before everything is sent.
            let _ = stream.write_all(request.as_bytes()).await;
            // This ends the waiting for the rest of a request whose length is wrong.
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            // A watch stays open if its limit in time is damaged.
            let may_stay_open = text.contains("watch");
            let limit = if may_stay_open { Duration::from_millis(300) } else { DEADLINE };
            let end = tokio::time::timeout(limit, stream.read_to_end(&mut answer)).await;
            assert!(end.is_ok() || may_stay_open, "still open after {} bytes: {text}", answer.len());
            check(&String::from_utf8_lossy(&answer), &text);
            assert_eq!(cluster.get("/version").await.0, 200, "after {text}");
        });
    });
    runtime.shutdown_background();
}

/// An answer has a code, never that of a fault of the server. A refusal by the API is a `Status` with a message.
fn check(answer: &str, request: &str) {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        assert!(answer.is_empty(), "half an answer {answer:?} to {request}");
        return;
    };
    let code: u16 = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    assert!((200..500).contains(&code) || code == 504, "{head} to {request}");
    // What follows the body answers the rest of the request: with a wrong length, it looks like another request.
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    if code >= 400 && head.contains("application/json") {
        let body = length.and_then(|length: usize| body.get(..length)).unwrap_or(body);
        let status: Value = serde_json::from_str(body).unwrap_or_default();
        let message = status["message"].as_str().unwrap_or_default();
        assert!(status["kind"] == "Status" && !message.is_empty(), "{answer} to {request}");
    }
}
