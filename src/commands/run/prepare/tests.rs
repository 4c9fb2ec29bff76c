use std::sync::{Arc, Mutex};

use clap::Parser;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::cluster::FakeApi;
use crate::config::Settings;
use crate::exit::ExitCode;
use crate::load::{Script, UserClass};
use crate::plan::plan_of;
use crate::record::SHARDS;
use crate::wait::silent;

fn able(open_model: Result<()>, script: Script) -> Capabilities {
    Capabilities {
        name: "script 1.0".into(),
        version: "1.0".into(),
        exact_windows: true,
        live_counts: true,
        open_model,
        health: true,
        percentile_digits: 3,
        script,
        caveat: None,
    }
}

fn plan(settings: &str) -> Box<dyn Plan> {
    plan_of(&Settings::parse(settings).unwrap().complete().unwrap())
}

/// An idle Locust. Returns its address, and the first line of each request to it.
async fn idle_locust() -> (String, Arc<Mutex<Vec<String>>>) {
    let body = json!({
        "version": 3, "locust": "2.47.0", "now": 1, "state": "ready", "user_count": 0, "workers": [],
        "entries": [], "flush": null,
        "total": {
            "method": "", "name": "Aggregated", "requests": 0, "failures": 0, "total_ms": 0, "histogram": {},
        },
    })
    .to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
    let answer = format!("{head} {}\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let length = stream.read(&mut bytes).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            log.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, requests)
}

/// The API server after `deploy`, without any pod.
fn deployed() -> FakeApi {
    let api = FakeApi::default();
    api.put(
        "/apis/coordination.k8s.io/v1/namespaces/default/leases/locust-load-test-matrix",
        json!({ "metadata": {} }),
    );
    for name in ["inference", MASTER, WORKERS] {
        let spec = json!({
            "replicas": 1, "selector": { "matchLabels": { "app": name } },
            "template": { "spec": { "containers": [{ "name": name, "image": "image:1" }] } },
        });
        let object = json!({ "metadata": { "name": name }, "spec": spec });
        api.put(&format!("/apis/apps/v1/namespaces/default/deployments/{name}"), object);
    }
    for number in 0..SHARDS {
        let name = format!("locust-load-test-results-{number}");
        let object = json!({ "metadata": { "name": name } });
        api.put(&format!("/api/v1/namespaces/default/configmaps/{name}"), object);
    }
    api
}

/// Prepares a run with these results.
async fn prepared(api: &FakeApi, locust: &str, results: &str) -> Result<Prepared> {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cluster = api.cluster();
    let lease = Lease::acquire(&cluster, "a", CancellationToken::new(), &silent).await?;
    let target = read_workload(&cluster, &WorkloadName::deployment("inference")).await?;
    let claimed = Claimed { cluster: &cluster, lease: &lease, target: &target, pauses: false };
    let line = Line::parse_from(["run", "--locust-url", locust, "--results", results]);
    let config = Settings::parse("{replicas: [1], workers: [1], users: [4]}")?.complete()?;
    let plan = plan_of(&config);
    let events = Events::to(|_| {});
    // Boxed, because it is large.
    let prepared = Box::pin(prepare(&claimed, &line.arguments, None, config, plan, &events)).await;
    lease.release().await?;
    prepared
}

#[tokio::test]
async fn a_results_folder_that_cannot_be_made_ends_the_run_before_anything_is_changed_or_loaded() {
    let (locust, requests) = idle_locust().await;
    let api = deployed();
    let error = prepared(&api, &locust, "/proc/nope").await.err().unwrap();
    assert_eq!(error.code, ExitCode::Preflight);
    assert!(error.message.contains("/proc/nope") && error.next.unwrap().contains("--results"));
    let is_change = |call: &&String| !call.starts_with("GET ") && !call.contains("/leases/");
    assert_eq!(api.calls().iter().filter(is_change).collect::<Vec<_>>(), [""; 0]);
    let is_harmless = |request: &String| request.contains(" /matrix/snapshot ");
    assert!(requests.lock().unwrap().iter().all(is_harmless), "{:?}", requests.lock().unwrap());
    // The folder alone was wrong.
    let results = tempfile::tempdir().unwrap();
    let prepared = prepared(&deployed(), &locust, results.path().to_str().unwrap()).await;
    assert!(prepared.is_ok(), "{:?}", prepared.err());
}

#[test]
fn an_open_plan_is_refused_if_the_load_generator_cannot_run_it() {
    let refusal = Error::usage("there is no open model");
    let closed = plan("{replicas: [1], workers: [1], users: [4]}");
    let open = plan("{replicas: [1], workers: [1], rates: [4]}");
    let cannot = able(Err(refusal.clone()), Script::default());
    assert_eq!(refuse_impossible_load(closed.as_ref(), &cannot), Ok(()));
    assert_eq!(refuse_impossible_load(open.as_ref(), &cannot), Err(refusal));
    assert_eq!(refuse_impossible_load(open.as_ref(), &able(Ok(()), Script::default())), Ok(()));
}

#[test]
fn a_plan_of_which_the_script_can_run_nothing_is_refused_before_the_first_scenario() {
    let fixed = UserClass { name: "Caller".into(), fixed_count: 5 };
    let fixed = able(Ok(()), Script { user_classes: vec![fixed], ..Script::default() });
    let of = |settings: &str, can: &Capabilities| refuse_impossible_load(plan(settings).as_ref(), can);
    assert_eq!(of("{replicas: [1], workers: [1], users: [5, 12]}", &fixed), Ok(()), "one is possible");
    let error = of("{replicas: [1], workers: [1], users: [8, 12]}", &fixed).unwrap_err();
    assert!(error.code == ExitCode::Usage && error.message.contains("add up to 5 users"), "{error}");
    let shape = able(Ok(()), Script { shape: Some("Stairs".into()), ..Script::default() });
    for settings in ["{replicas: [1], workers: [1], users: [4]}", "{replicas: [1], workers: [1], rates: [4]}"]
    {
        let error = of(settings, &shape).unwrap_err();
        assert!(error.code == ExitCode::Usage && error.message.contains("the class Stairs"), "{error}");
    }
}

#[test]
fn an_address_of_locust_does_not_make_this_machine_a_pod() {
    assert!(is_of_the_manifests("http://locust-master:8089/"));
    for outside in ["http://127.0.0.1:30089", "http://node:30089"] {
        assert!(!is_of_the_manifests(outside), "{outside}");
    }
}

#[test]
fn the_longest_load_covers_the_largest_ramp_and_the_longest_measurement() {
    let settings =
        "{replicas: [1], workers: [1], users: [10, 400], spawn_rate: 10, duration: 20s, warmup: 3s}";
    let config = Settings::parse(settings).unwrap().complete().unwrap();
    // 40 s of ramp and 60 s of patience with it, 3 s, twice 20 s, and a minute.
    assert_eq!(longest_load(&config, 400), Duration::from_secs(40 + 60 + 3 + 40 + 60));
}
