//! Logs and ports of pods, with a fake runtime.

use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use embedded::runtime::{LogReader, Runtime};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::support::{Cluster, DEADLINE, PODS, expect_refusal, pod};

const LINES: &str =
    "2026-01-01T00:00:01.000000001Z one\n2026-01-01T00:00:02Z two\n2026-01-01T00:00:03Z three\n";

/// A runtime in which every pod has written three lines, may write more, and listens on port 80.
#[derive(Default)]
struct FakeRuntime {
    port: Option<SocketAddr>,
    more: Mutex<Option<DuplexStream>>,
}

impl Runtime for FakeRuntime {
    fn address(&self, _: &str, _: &str, port: u16) -> Option<SocketAddr> {
        self.port.filter(|_| port == 80)
    }

    fn logs(&self, _: &str, _: &str, _: &str, previous: bool) -> Option<LogReader> {
        let following = self.more.lock().unwrap().take().map(|more| Box::new(more) as Box<_>);
        (!previous).then(|| LogReader { so_far: Box::new(Cursor::new(LINES)), following })
    }
}

async fn with_pod(runtime: FakeRuntime) -> (Cluster, Api<Pod>) {
    let cluster = Cluster::with(Arc::new(runtime)).await;
    cluster.post(PODS, &pod("a")).await;
    let running = json!({ "status": { "phase": "Running" } });
    cluster.patch(&format!("{PODS}/a/status"), "merge-patch+json", &running).await;
    let pods = Api::namespaced(cluster.kube().await, "default");
    (cluster, pods)
}

#[tokio::test]
async fn the_options_of_logs_select_lines() {
    let (cluster, pods) = with_pod(FakeRuntime::default()).await;
    let logs = async |params: &LogParams| pods.logs("a", params).await.unwrap();
    assert_eq!(logs(&LogParams::default()).await, "one\ntwo\nthree\n");
    assert_eq!(logs(&LogParams { tail_lines: Some(2), ..LogParams::default() }).await, "two\nthree\n");
    assert_eq!(logs(&LogParams { tail_lines: Some(0), ..LogParams::default() }).await, "");
    assert_eq!(logs(&LogParams { limit_bytes: Some(5), ..LogParams::default() }).await, "one\nt");
    let later =
        LogParams { since_time: Some("2026-01-01T00:00:02Z".parse().unwrap()), ..LogParams::default() };
    assert_eq!(logs(&later).await, "two\nthree\n");
    let stamped = LogParams { timestamps: true, tail_lines: Some(1), ..LogParams::default() };
    assert_eq!(logs(&stamped).await, "2026-01-01T00:00:03Z three\n");
    for (query, expected) in [
        ("container=z", "container z is not valid for pod a"),
        ("previous=true", "previous terminated container \"c\" in pod \"a\" not found"),
        ("tailLines=x", "tailLines"),
        ("sinceTime=x", "sinceTime"),
        ("sinceSeconds=-1", "sinceSeconds"),
    ] {
        let message = expect_refusal(&cluster.get(&format!("{PODS}/a/log?{query}")).await, 400, "BadRequest");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn following_a_log_continues_until_the_container_ends() {
    let (mut writer, reader) = tokio::io::duplex(64);
    let (cluster, _) =
        with_pod(FakeRuntime { more: Mutex::new(Some(reader)), ..FakeRuntime::default() }).await;
    let url = cluster.url(&format!("{PODS}/a/log?follow=true&tailLines=1"));
    let mut response = cluster.http().get(url).bearer_auth(cluster.tokens.admin()).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "three\n");
    writer.write_all(b"2026-01-01T00:00:04Z four\n").await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "four\n");
    drop(writer);
    assert_eq!(response.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn a_port_is_forwarded_in_both_directions_until_it_closes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4];
        stream.read_exact(&mut request).await.unwrap();
        // More than one message, and more than all buffers together.
        stream.write_all(&request.repeat(500_000)).await.unwrap();
    });
    let (_cluster, pods) = with_pod(FakeRuntime { port: Some(address), ..FakeRuntime::default() }).await;
    let mut forwarder = pods.portforward("a", &[80]).await.unwrap();
    let mut stream = forwarder.take_stream(80).unwrap();
    stream.write_all(b"ping").await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"ping".repeat(500_000));
}

#[tokio::test]
async fn forwarding_a_closed_port_reports_an_error() {
    let (cluster, pods) = with_pod(FakeRuntime::default()).await;
    let mut forwarder = pods.portforward("a", &[81]).await.unwrap();
    let error = forwarder.take_error(81).unwrap();
    let error = tokio::time::timeout(DEADLINE, error).await.unwrap().unwrap();
    assert_eq!(error, "error forwarding port 81: the pod does not listen there");
    expect_refusal(&cluster.get(&format!("{PODS}/a/portforward?ports=80")).await, 400, "BadRequest");
    cluster.post(PODS, &pod("waiting")).await;
    assert!(pods.portforward("waiting", &[80]).await.is_err());
}
