//! An embedded cluster with Locust and the stub, for tests that disturb it: its pods, processes and objects.

mod processes;

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kube::ResourceExt;
use rustix::process::{Pid, Signal, kill_process};

use crate::namespace::{Namespace, Problem};
use crate::required;
use processes::Process;

/// How long the cluster may take until it is ready. It needs less than a second on a quiet machine.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long the cluster may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// A running embedded cluster with a folder of its own.
pub struct EmbeddedCluster {
    child: Child,
    folder: PathBuf,
    namespace: Namespace,
}

/// `cargo xtask e2e` with the embedded cluster `name`, as on a machine without Docker.
pub fn xtask_e2e(name: &str, results: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(required("E2E_XTASK"));
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command.args(["e2e", "--name", name, "--results"]).arg(results).args(arguments);
    command
}

impl EmbeddedCluster {
    /// Starts a cluster in an empty folder, and deploys Locust and the stub.
    ///
    /// # Errors
    /// It does not start, or `deploy` fails.
    pub fn start(folder: &Path) -> Result<Self, Problem> {
        let text = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(folder).map_err(text)?;
        let log = std::fs::File::create(folder.join("cluster.log")).map_err(text)?;
        let image = |name: &str, variable: &str| format!("--image={name}={}", required(variable));
        let mut child = Command::new(required("E2E_CLUSTER"))
            .arg("--kubeconfig")
            .arg(folder.join("kubeconfig"))
            .arg("--state")
            .arg(folder.join("state"))
            .args(["--parent-pid", &std::process::id().to_string()])
            .args([image("fake-inference", "E2E_STUB"), image("locust-driver", "E2E_DRIVER")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(text)?;
        let Some(out) = child.stdout.take() else { return Err("stdout is not connected".into()) };
        let (send, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(out).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let is_ready = ready.recv_timeout(READY_WITHIN);
        let namespace = match is_ready {
            Ok(_) => Namespace::connect(&folder.join("kubeconfig"), "default"),
            Err(_) => Err(format!("not ready after {READY_WITHIN:?}")),
        };
        let namespace = namespace.inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        let cluster = Self { child, folder: folder.to_owned(), namespace };
        cluster.deploy()?;
        Ok(cluster)
    }

    fn deploy(&self) -> Result<(), Problem> {
        let mut deploy = self.driver();
        deploy.args(["deploy", "--overlay", "kind", "--image", "fake-inference=fake-inference:test"]);
        let output = deploy.output().map_err(|error| format!("deploy: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("deploy: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
    }

    /// The driver, with this cluster's kubeconfig.
    pub fn driver(&self) -> Command {
        let mut command = Command::new(required("E2E_DRIVER"));
        command.arg("--kubeconfig").arg(self.folder.join("kubeconfig")).stdin(Stdio::null());
        command
    }

    /// The namespace that Locust and the stub are in.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The cluster's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The ID of the cluster's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the cluster's own process. API server, controllers and kubelet run in it; pods do not get the
    /// signal.
    pub fn signal(&self, signal: Signal) {
        // An error means that it has ended already.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits until a killed cluster has ended.
    pub fn wait(&mut self) {
        let _ = self.child.wait();
    }

    /// The processes of the pod `name`.
    pub fn processes_of(&self, name: &str) -> Vec<Pid> {
        let own = self.processes();
        own.iter().filter(|process| process.pod.as_deref() == Some(name)).map(|process| process.id).collect()
    }

    /// The processes of all pods.
    pub fn pod_processes(&self) -> Vec<Pid> {
        self.processes().iter().filter(|process| process.pod.is_some()).map(|process| process.id).collect()
    }

    /// The processes of pods that are not in the list of pods, as text.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn processes_without_pod(&self) -> Result<Vec<String>, Problem> {
        let pods: BTreeSet<String> = self.namespace.pods("")?.iter().map(ResourceExt::name_any).collect();
        let own = self.processes().into_iter();
        let left = own.filter(|process| process.pod.as_ref().is_some_and(|pod| !pods.contains(pod)));
        Ok(left.map(|process| process.line).collect())
    }

    fn processes(&self) -> Vec<Process> {
        processes::naming(&self.folder.join("state"))
    }

    /// Ends the cluster with SIGTERM.
    ///
    /// # Errors
    /// It does not end by itself, ends with another code than 0, or leaves processes or files of its pods.
    pub fn end(mut self) -> Result<(), Problem> {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + ENDS_WITHIN;
        let code = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status.code(),
                _ if Instant::now() > deadline => {
                    return Err(format!("it runs {ENDS_WITHIN:?} after SIGTERM"));
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        if code != Some(0) {
            return Err(format!("it ended with {code:?}"));
        }
        self.nothing_runs(Duration::from_secs(1))?;
        if self.folder.join("state").exists() {
            return Err("the files of its pods are left".into());
        }
        Ok(())
    }

    /// Waits until no process of the cluster's pods runs.
    ///
    /// # Errors
    /// Some still run after `limit`, with their command lines.
    pub fn nothing_runs(&self, limit: Duration) -> Result<(), Problem> {
        let deadline = Instant::now() + limit;
        loop {
            let left: Vec<String> = self.processes().into_iter().map(|process| process.line).collect();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("processes of a cluster that has ended: {left:?}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for EmbeddedCluster {
    /// After a failed test: the pods end when their cluster does.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
