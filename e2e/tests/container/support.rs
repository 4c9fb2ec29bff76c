//! A stub, and a Locust in containers.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::required;
use locust_matrix::load::{LoadGenerator, Locust, Snapshot};
use locust_matrix::wait::{Condition, poll};
use tempfile::TempDir;
use testcontainers::core::wait::ExitWaitStrategy;
use testcontainers::core::{Mount, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};
use tokio::sync::{Semaphore, SemaphorePermit};

pub(crate) const DEADMAN: Duration = Duration::from_mins(1);
/// Where a container sees the test's own folder.
const FOLDER: &str = "/mnt/test";

/// Most of the time these tests wait for load to go on: four of them do not fill two cores.
static MACHINE: Semaphore = Semaphore::const_new(4);

/// For a test that measures times: one more of its kind, or two that do not, run beside it.
pub(crate) async fn quiet() -> SemaphorePermit<'static> {
    MACHINE.acquire_many(2).await.unwrap()
}

/// For a test that does not mind company.
pub(crate) async fn shared() -> SemaphorePermit<'static> {
    MACHINE.acquire().await.unwrap()
}

/// A free port of the loopback interface.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The stub service on the loopback interface, ended with the test.
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

    /// What it has served to Locust, by endpoint, and of that the failures.
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

    /// Sum (s) and number of one of its histograms of times.
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

/// A Locust that is about to be started.
pub(crate) struct Setup<'a> {
    pub(crate) version: &'a str,
    pub(crate) workers: u32,
    /// A script of the test; the one of the manifests where there is none.
    pub(crate) script: Option<&'a str>,
    /// Variables of the workers.
    pub(crate) env: &'a [(&'a str, &'a str)],
    /// Cores that each worker may use.
    pub(crate) worker_cores: Option<f64>,
    /// The master's, s.
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
    /// The containers' /mnt/test.
    pub(crate) folder: TempDir,
    _containers: Vec<ContainerAsync<GenericImage>>,
}

/// A master and `workers` workers.
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
        Cluster { load, url, folder, _containers: containers }
    }

    /// A Locust process in a container on the host's own network, with the scripts of the manifests.
    fn locust(&self, folder: &Path, arguments: &[&str]) -> ContainerRequest<GenericImage> {
        let script = if self.script.is_some() { FOLDER } else { "/mnt/locust" };
        let script = format!("{script}/locustfile.py");
        let arguments = ["-f", &script].into_iter().chain(arguments.iter().copied());
        mounted(GenericImage::new("locustio/locust", self.version).with_cmd(arguments), folder)
    }
}

pub(crate) async fn until(load: &Locust, done: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let looked = poll(Duration::from_mins(1), Duration::from_millis(100), || async {
        match load.snapshot(DEADMAN).await {
            Ok(snapshot) if done(&snapshot) => Condition::Met(snapshot),
            Ok(snapshot) => Condition::NotMet(snapshot.describe()),
            Err(error) => Condition::NotMet(error.to_string()),
        }
    });
    looked.await.unwrap()
}

/// Lets the load run for so long; the dead-man stays away.
pub(crate) async fn run_for(load: &Locust, seconds: f64) {
    let begun = tokio::time::Instant::now();
    while begun.elapsed().as_secs_f64() < seconds {
        let left = seconds - begun.elapsed().as_secs_f64();
        tokio::time::sleep(Duration::from_secs_f64(left.clamp(0.0, 1.0))).await;
        load.snapshot(DEADMAN).await.unwrap();
    }
}

/// Stops it, and waits until every worker is idle.
pub(crate) async fn stop(load: &Locust, workers: u32) -> Snapshot {
    load.stop().await.unwrap();
    until(load, |snapshot| snapshot.is_idle(workers)).await;
    load.cut(DEADMAN).await.unwrap()
}

/// Runs a program beside the module's files; gives the folder that it saw as /mnt/test.
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

/// A folder for whoever Locust is in its container.
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
