//! Locust in containers, without a cluster: the adapter, the module beside the locustfile, and their
//! arithmetic, on both versions of Locust's web API.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::required;
use locust_matrix::load::{Load, LoadGenerator, Locust, Snapshot};
use locust_matrix::wait::{Look, poll};
use testcontainers::core::Mount;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};

const DEADMAN: Duration = Duration::from_mins(1);

/// A free port of the loopback interface.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The stub service on the loopback interface, ended with the test.
struct Stub {
    child: Child,
    url: String,
}

impl Stub {
    fn start(arguments: &[&str]) -> Self {
        let port = port().to_string();
        let child = Command::new(required("E2E_STUB"))
            .args(["--host", "127.0.0.1", "--port", &port])
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    /// What it has served to Locust, by endpoint, and of that the failures.
    async fn served(&self, client: &reqwest::Client) -> BTreeMap<String, (u64, u64)> {
        let text = client.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        let mut served: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with("inference_requests_total{")) {
            let field = |name: &str| line.split(&format!("{name}=\"")).nth(1)?.split('"').next();
            if field("caller") == Some("locust") {
                let count: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
                let entry = served.entry(field("endpoint").unwrap().to_owned()).or_default();
                entry.0 += count;
                entry.1 += if field("status") == Some("200") { 0 } else { count };
            }
        }
        served
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Locust process in a container on the host's own network, with the scripts of the manifests.
fn locust(version: &str, arguments: &[&str]) -> ContainerRequest<GenericImage> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/base").canonicalize().unwrap();
    let arguments = ["-f", "/mnt/locust/locustfile.py"].iter().chain(arguments).map(ToString::to_string);
    GenericImage::new("locustio/locust", version)
        .with_cmd(arguments)
        .with_network("host")
        .with_mount(Mount::bind_mount(scripts.to_str().unwrap(), "/mnt/locust"))
        .with_env_var("PYTHONDONTWRITEBYTECODE", "1")
}

struct Cluster {
    load: Locust,
    _containers: Vec<ContainerAsync<GenericImage>>,
}

/// A master and `workers` workers.
async fn start(version: &str, workers: u32) -> Cluster {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (web, bind) = (port().to_string(), port().to_string());
    let master = ["--master", "--stop-timeout", "120", "--web-host", "127.0.0.1", "--web-port", &web];
    let master = [&master[..], &["--master-bind-host", "127.0.0.1", "--master-bind-port", &bind]].concat();
    let mut containers = vec![locust(version, &master).start().await.unwrap()];
    for _ in 0..workers {
        let worker = ["--worker", "--master-host", "127.0.0.1", "--master-port", &bind];
        containers.push(locust(version, &worker).start().await.unwrap());
    }
    let load = Locust::new(&format!("http://127.0.0.1:{web}")).unwrap();
    until(&load, |snapshot| snapshot.is_idle(workers)).await;
    Cluster { load, _containers: containers }
}

async fn until(load: &Locust, done: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let looked = poll(Duration::from_mins(1), Duration::from_millis(100), || async {
        match load.snapshot(DEADMAN).await {
            Ok(snapshot) if done(&snapshot) => Look::Done(snapshot),
            Ok(snapshot) => Look::NotYet(snapshot.describe()),
            Err(error) => Look::NotYet(error.to_string()),
        }
    });
    looked.await.unwrap()
}

/// Starts, cuts twice, stops; the window lies between what the stub had served before and after each
/// cut, and the total is what it has served, to the request.
async fn is_exact(version: &str, stub_arguments: &[&str]) {
    let stub = Stub::start(stub_arguments);
    let cluster = start(version, 2).await;
    let load = &cluster.load;
    let client = locust_matrix::http::client(Duration::from_secs(5)).unwrap();
    let total = |served: &BTreeMap<String, (u64, u64)>| served.values().map(|(count, _)| count).sum::<u64>();
    let mut earlier = BTreeMap::new();
    for round in 1..=3 {
        load.start(Load::Closed { users: 20, spawn_rate: 20.0 }, &stub.url).await.unwrap();
        until(load, |snapshot| snapshot.is_running(20, 2)).await;
        let mut cuts = Vec::new();
        for _ in 0..2 {
            let before = total(&stub.served(&client).await);
            let cut = load.cut(DEADMAN).await.unwrap();
            let after = total(&stub.served(&client).await);
            cuts.push((before, cut, after));
            until(load, |snapshot| snapshot.now > cuts[0].1.now + 2.0).await;
        }
        let window = cuts[1].1.since(&cuts[0].1);
        // An answer that the stub has counted may still be on its way to its user: at most one each.
        let least = (cuts[1].0 - cuts[0].2).saturating_sub(20);
        let most = cuts[1].2 - cuts[0].0 + 20;
        assert!(
            (least..=most).contains(&window.aggregated.requests),
            "{version}, round {round}: {} requests, the stub served {least} to {most}",
            window.aggregated.requests
        );
        assert_eq!(window.aggregated.histogram.count(), window.aggregated.requests);
        load.stop().await.unwrap();
        until(load, |snapshot| snapshot.is_idle(2)).await;
        let whole = load.cut(DEADMAN).await.unwrap().whole();
        let served = stub.served(&client).await;
        for endpoint in &whole.endpoints {
            let now = served[&endpoint.name];
            let then = earlier.get(&endpoint.name).copied().unwrap_or((0, 0));
            let counted = (endpoint.requests, endpoint.failures);
            assert_eq!(
                counted,
                (now.0 - then.0, now.1 - then.1),
                "{version}, round {round}: {}",
                endpoint.name
            );
        }
        let earlier_total = total(&earlier);
        assert_eq!(
            whole.aggregated.requests,
            total(&served) - earlier_total,
            "{version}, round {round}: all"
        );
        earlier = served;
    }
}

#[tokio::test]
async fn totals_and_windows_are_exact_on_2_46_6() {
    is_exact("2.46.6", &["--service-ms", "50", "--failure-rate", "0.05"]).await;
}

#[tokio::test]
async fn totals_and_windows_are_exact_on_2_47_0() {
    is_exact("2.47.0", &["--service-ms", "50", "--failure-rate", "0.05"]).await;
}

/// Load whose driver is gone stops by itself, and its timer does not reach into the next load.
async fn the_dead_man_stops(version: &str) {
    let stub = Stub::start(&[]);
    let cluster = start(version, 1).await;
    let load = &cluster.load;
    load.start(Load::Closed { users: 5, spawn_rate: 5.0 }, &stub.url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(5, 1)).await;
    load.snapshot(Duration::from_secs(2)).await.unwrap();
    // Nobody looks for longer than that.
    tokio::time::sleep(Duration::from_secs(3)).await;
    until(load, |snapshot| snapshot.is_idle(1)).await;
}

#[tokio::test]
async fn load_without_a_driver_stops_on_2_46_6() {
    the_dead_man_stops("2.46.6").await;
}

#[tokio::test]
async fn load_without_a_driver_stops_on_2_47_0() {
    the_dead_man_stops("2.47.0").await;
}

/// A stop that comes while the users of a second test are being started ends it like any other.
async fn an_early_stop_stops(version: &str) {
    let stub = Stub::start(&[]);
    let cluster = start(version, 2).await;
    let load = &cluster.load;
    for pause in [0, 0, 1, 3, 10, 30, 100, 300] {
        load.start(Load::Closed { users: 20, spawn_rate: 20.0 }, &stub.url).await.unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        // Again for as long as there is load, as the driver does.
        let stopped = poll(Duration::from_secs(30), Duration::from_millis(100), || async {
            load.stop().await.unwrap();
            match load.snapshot(DEADMAN).await {
                Ok(snapshot) if snapshot.is_idle(2) => Look::Done(()),
                Ok(snapshot) => Look::NotYet(snapshot.describe()),
                Err(error) => Look::NotYet(error.to_string()),
            }
        });
        stopped.await.unwrap_or_else(|timed_out| panic!("{version}, stopped after {pause} ms: {timed_out}"));
    }
}

#[tokio::test]
async fn an_early_stop_stops_on_2_46_6() {
    an_early_stop_stops("2.46.6").await;
}

#[tokio::test]
async fn an_early_stop_stops_on_2_47_0() {
    an_early_stop_stops("2.47.0").await;
}

#[tokio::test]
async fn what_locust_refuses_is_an_error() {
    let cluster = start("2.47.0", 1).await;
    let error = cluster
        .load
        .start(Load::Closed { users: 5, spawn_rate: f64::NAN }, "http://127.0.0.1:1")
        .await
        .unwrap_err();
    assert!(error.message.contains("refused to start 5 users"), "{error}");
}
