//! Starts the stub as a process and Locust in containers.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::required;
use e2e::tool::Clock;
use locust_matrix::load::{LoadGenerator, Locust, Snapshot};
use locust_matrix::wait::{Condition, poll, silent};
use tempfile::TempDir;
use testcontainers::core::wait::ExitWaitStrategy;
use testcontainers::core::{Mount, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};
use tokio::sync::{Semaphore, SemaphorePermit};

pub(crate) const DEADMAN: Duration = Duration::from_mins(1);
/// The path of the test's folder in a container.
const FOLDER: &str = "/mnt/test";

/// Most of the time, these tests wait while a load runs, so that this many share two cores.
static PLACES: Semaphore = Semaphore::const_new(8);

/// A test's places, and the time since it got them.
pub(crate) struct Turn {
    _places: SemaphorePermit<'static>,
    _clock: Clock,
}

/// Waits for two places: for a test that measures times, so that fewer tests run beside it.
pub(crate) async fn two_places() -> Turn {
    turn(2).await
}

/// Waits for one place: for a test that other tests do not disturb.
pub(crate) async fn one_place() -> Turn {
    turn(1).await
}

async fn turn(places: u32) -> Turn {
    let places = PLACES.acquire_many(places).await.unwrap();
    // The test runner names each thread after its test.
    let thread = std::thread::current();
    Turn { _places: places, _clock: Clock::start(thread.name().unwrap_or("a container test")) }
}

/// Returns a free port of the loopback interface.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The stub service on the loopback interface. It ends with the test.
pub(crate) struct Stub {
    child: Child,
    pub(crate) url: String,
    client: reqwest::Client,
}

impl Stub {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = port().to_string();
        let child = Command::new(required("E2E_STUB"))
            .args(["--host", "127.0.0.1", "--port", &port])
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let client = locust_matrix::http::client(Duration::from_secs(5)).unwrap();
        Self { child, url: format!("http://127.0.0.1:{port}"), client }
    }

    async fn metrics(&self) -> String {
        self.client.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap()
    }

    /// Returns the requests that it has answered to Locust, by endpoint: all, and the failed ones.
    pub(crate) async fn served(&self) -> BTreeMap<String, (u64, u64)> {
        let mut served: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for line in self.metrics().await.lines().filter(|line| line.starts_with("inference_requests_total{"))
        {
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

    /// Returns the sum (s) and the count of one of its histograms of times.
    pub(crate) async fn times(&self, name: &str) -> (f64, f64) {
        let page = self.metrics().await;
        let value = |ending: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name}_{ending} ")));
            line.map_or(0.0, |value| value.parse().unwrap())
        };
        (value("sum"), value("count"))
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How Locust is started.
pub(crate) struct Setup<'a> {
    pub(crate) version: &'a str,
    pub(crate) workers: u32,
    /// The test's own locustfile; `None` for the one of the manifests.
    pub(crate) script: Option<&'a str>,
    /// Environment variables of the workers.
    pub(crate) env: &'a [(&'a str, &'a str)],
    /// CPU limit of each worker, cores.
    pub(crate) worker_cores: Option<f64>,
    /// The master's `--stop-timeout`, s.
    pub(crate) stop_timeout: &'a str,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(version: &'a str, workers: u32) -> Self {
        Self { version, workers, script: None, env: &[], worker_cores: None, stop_timeout: "120" }
    }
}

pub(crate) struct Cluster {
    pub(crate) load: Locust,
    pub(crate) url: String,
    /// The folder that is /mnt/test in the containers.
    pub(crate) folder: TempDir,
    /// The master, then the workers.
    containers: Vec<ContainerAsync<GenericImage>>,
}

impl Cluster {
    /// Kills the last worker.
    pub(crate) async fn kill_worker(&mut self) {
        self.containers.pop().unwrap().rm().await.unwrap();
    }
}

/// Starts a master and `workers` workers.
pub(crate) async fn start(version: &str, workers: u32) -> Cluster {
    Setup::new(version, workers).start().await
}

impl Setup<'_> {
    pub(crate) async fn start(self) -> Cluster {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = folder();
        if let Some(script) = self.script {
            std::fs::write(folder.path().join("locustfile.py"), script).unwrap();
        }
        let (web, bind) = (port().to_string(), port().to_string());
        let master = ["--master", "--stop-timeout", self.stop_timeout, "--web-host", "127.0.0.1"];
        let bound = ["--web-port", &web, "--master-bind-host", "127.0.0.1", "--master-bind-port", &bind];
        let master = self.locust(folder.path(), &[&master[..], &bound].concat());
        let mut containers = vec![master.start().await.unwrap()];
        for _ in 0..self.workers {
            let arguments = ["--worker", "--master-host", "127.0.0.1", "--master-port", &bind];
            let mut worker = self.locust(folder.path(), &arguments);
            for (name, value) in self.env {
                worker = worker.with_env_var(*name, *value);
            }
            if let Some(cores) = self.worker_cores {
                let quota = format!("{:.0}", cores * 1e9).parse().unwrap();
                worker = worker.with_host_config_modifier(move |host| host.nano_cpus = Some(quota));
            }
            containers.push(worker.start().await.unwrap());
        }
        let url = format!("http://127.0.0.1:{web}");
        let load = Locust::new(&url).unwrap();
        until(&load, |snapshot| snapshot.is_idle(self.workers)).await;
        Cluster { load, url, folder, containers }
    }

    /// A Locust process in a container on the host's network, with the scripts of the manifests.
    fn locust(&self, folder: &Path, arguments: &[&str]) -> ContainerRequest<GenericImage> {
        let script = if self.script.is_some() { FOLDER } else { "/mnt/locust" };
        let script = format!("{script}/locustfile.py");
        let arguments = ["-f", &script].into_iter().chain(arguments.iter().copied());
        mounted(GenericImage::new("locustio/locust", self.version).with_cmd(arguments), folder)
    }
}

pub(crate) async fn until(load: &Locust, done: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let looked = poll(Duration::from_mins(1), Duration::from_millis(100), &silent, || async {
        match load.snapshot(DEADMAN).await {
            Ok(snapshot) if done(&snapshot) => Condition::Met(snapshot),
            Ok(snapshot) => Condition::NotMet(snapshot.describe()),
            Err(error) => Condition::NotMet(error.to_string()),
        }
    });
    looked.await.unwrap()
}

/// A complete cut.
pub(crate) async fn cut(load: &Locust) -> Snapshot {
    let cut = load.cut(DEADMAN).await.unwrap();
    assert!(cut.is_complete_cut(), "{}", cut.describe());
    cut
}

/// Lets the load run for this many seconds, and renews the dead-man's timer meanwhile.
pub(crate) async fn run_for(load: &Locust, seconds: f64) {
    let begun = tokio::time::Instant::now();
    while begun.elapsed().as_secs_f64() < seconds {
        let left = seconds - begun.elapsed().as_secs_f64();
        tokio::time::sleep(Duration::from_secs_f64(left.clamp(0.0, 1.0))).await;
        load.snapshot(DEADMAN).await.unwrap();
    }
}

/// Stops the load, and waits until every worker is idle.
pub(crate) async fn stop(load: &Locust, workers: u32) -> Snapshot {
    load.stop().await.unwrap();
    until(load, |snapshot| snapshot.is_idle(workers)).await;
    cut(load).await
}

/// Runs a Python program that can import the manifests' modules. Returns the folder that was its /mnt/test.
pub(crate) async fn run_python(version: &str, program: &str) -> TempDir {
    let folder = folder();
    let image = GenericImage::new("locustio/locust", version)
        .with_entrypoint("python3")
        .with_wait_for(WaitFor::exit(ExitWaitStrategy::new().with_exit_code(0)));
    let image = mounted(image.with_cmd(["-c", program]), folder.path());
    let container = image.start().await.unwrap();
    container.rm().await.unwrap();
    folder
}

/// Creates a folder that any user of a container may write to.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn mounted(image: ContainerRequest<GenericImage>, folder: &Path) -> ContainerRequest<GenericImage> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/base").canonicalize().unwrap();
    image
        .with_network("host")
        .with_mount(Mount::bind_mount(scripts.to_str().unwrap(), "/mnt/locust"))
        .with_mount(Mount::bind_mount(folder.to_str().unwrap(), FOLDER))
        .with_env_var("PYTHONPATH", "/mnt/locust")
        .with_env_var("PYTHONDONTWRITEBYTECODE", "1")
}
