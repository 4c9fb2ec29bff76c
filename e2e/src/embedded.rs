//! An embedded cluster with Locust and the stub, for tests that disturb it: its pods, processes and objects.

mod processes;

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::serde::de::DeserializeOwned;
use kube::api::{Api, DeleteParams, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource, ResourceExt};
use rustix::process::{Pid, Signal, kill_process};

use crate::required;
use processes::Process;

/// How long the cluster may take until it is ready. It needs less than a second on a quiet machine.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long the cluster may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// The API server is on this machine.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// A running embedded cluster with a folder of its own.
pub struct EmbeddedCluster {
    child: Child,
    folder: PathBuf,
    runtime: tokio::runtime::Runtime,
    client: Client,
}

/// A problem in words.
pub type Problem = String;

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
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(text)?;
        let client = match is_ready {
            Ok(_) => runtime.block_on(connect(&folder.join("kubeconfig"))),
            Err(_) => Err(format!("not ready after {READY_WITHIN:?}")),
        };
        let client = client.inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        let cluster = Self { child, folder: folder.to_owned(), runtime, client };
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

    fn block_on<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, Problem> {
        let limited = self.runtime.block_on(async { tokio::time::timeout(CALL_WITHIN, call).await });
        match limited {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(format!("API: {error}")),
            Err(_) => Err(format!("API: no answer after {CALL_WITHIN:?}")),
        }
    }

    fn list<K>(&self, labels: &str) -> Result<Vec<K>, Problem>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), "default");
        let params = ListParams::default().labels(labels);
        Ok(self.block_on(api.list(&params))?.items)
    }

    /// The pods with these labels.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn pods(&self, labels: &str) -> Result<Vec<Pod>, Problem> {
        self.list(labels)
    }

    /// Deletes a pod, with its grace period.
    ///
    /// # Errors
    /// The API server does not answer, or there is no such pod.
    pub fn delete_pod(&self, name: &str) -> Result<(), Problem> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), "default");
        self.block_on(api.delete(name, &DeleteParams::default())).map(drop)
    }

    /// The desired replicas of each Deployment.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn replicas(&self) -> Result<BTreeMap<String, i32>, Problem> {
        let deployments = self.list::<Deployment>("")?;
        let replicas = |deployment: &Deployment| deployment.spec.as_ref().and_then(|spec| spec.replicas);
        Ok(deployments.iter().map(|one| (one.name_any(), replicas(one).unwrap_or(1))).collect())
    }

    /// Waits until every Deployment has exactly its desired pods, all ready and none terminating.
    ///
    /// # Errors
    /// A Deployment is still not ready after `limit`. The text gives the last state that was seen.
    pub fn settle(&self, limit: Duration) -> Result<(), Problem> {
        let deadline = Instant::now() + limit;
        loop {
            let seen = self.unsettled();
            match seen {
                Ok(None) => return Ok(()),
                Ok(Some(problem)) | Err(problem) if Instant::now() > deadline => return Err(problem),
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn unsettled(&self) -> Result<Option<Problem>, Problem> {
        let wanted: i32 = self.replicas()?.values().sum();
        let pods = self.pods("")?;
        let is_ready = |pod: &&Pod| {
            let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
            let mut ready = conditions.into_iter().filter(|one| one.type_ == "Ready" && one.status == "True");
            pod.metadata.deletion_timestamp.is_none() && ready.next().is_some()
        };
        let ready = pods.iter().filter(is_ready).count();
        let settled = ready == pods.len() && i32::try_from(ready) == Ok(wanted);
        Ok((!settled).then(|| format!("{} pods, {ready} of them ready, {wanted} wanted", pods.len())))
    }

    /// Kind and name of every object in the namespace, apart from pods and ReplicaSets, which come and go.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn objects(&self) -> Result<BTreeSet<String>, Problem> {
        fn names<K: Resource<DynamicType = ()>>(objects: &[K]) -> Vec<String> {
            objects.iter().map(|one| format!("{}/{}", K::kind(&()), one.name_any())).collect()
        }
        let all = [
            names(&self.list::<Deployment>("")?),
            names(&self.list::<Service>("")?),
            names(&self.list::<ConfigMap>("")?),
            names(&self.list::<Secret>("")?),
            names(&self.list::<Job>("")?),
            names(&self.list::<Lease>("")?),
            // One per Deployment, because the template never changes.
            vec![format!("{} ReplicaSets", self.list::<ReplicaSet>("")?.len())],
        ];
        Ok(all.into_iter().flatten().collect())
    }

    /// Who holds a Lease; `None` if nobody does.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn holders(&self) -> Result<Vec<String>, Problem> {
        let leases = self.list::<Lease>("")?;
        let holders = leases.into_iter().filter_map(|lease| lease.spec?.holder_identity);
        Ok(holders.filter(|holder| !holder.is_empty()).collect())
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
        let pods: BTreeSet<String> = self.pods("")?.iter().map(ResourceExt::name_any).collect();
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

async fn connect(kubeconfig: &Path) -> Result<Client, Problem> {
    let text = |error: &dyn std::fmt::Display| format!("{}: {error}", kubeconfig.display());
    let kubeconfig = Kubeconfig::read_from(kubeconfig).map_err(|error| text(&error))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.map_err(|error| text(&error))?).map_err(|error| text(&error))
}
