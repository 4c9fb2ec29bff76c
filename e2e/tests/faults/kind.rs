//! A namespace of a kind cluster. Its processes run in the node, and the node is a container of Docker.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::kind::{KeptCluster, LOCUST, deploy_arguments, xtask_e2e};
use e2e::namespace::{Namespace, Problem};
use e2e::required;
use e2e::tool::{output_of, run};
use kube::ResourceExt;

use crate::cluster::{Cluster, Method};
use crate::fault::NodeFault;

/// The name of the cluster.
const NAME: &str = "lm-test-faults";
/// One short scenario, because `cargo xtask e2e` makes no cluster without a run.
const FIRST: &str = "{replicas: [1], workers: [1], users: [2], duration: 1s, cooldown: 0s}";
/// After the API server was away, controllers and scheduler start again, and wait for their Leases.
const SETTLES_WITHIN: Duration = Duration::from_mins(2);
const API_BACK_WITHIN: Duration = Duration::from_mins(2);

/// Creates the cluster, with the images in its node.
///
/// # Panics
/// If that fails.
pub(crate) fn start_kind_cluster(folder: &Path) -> KeptCluster {
    let mut cluster = KeptCluster::new(NAME, folder);
    let first = cluster.settings(FIRST);
    let arguments = ["--keep", "--config", &first, "--locust-image", LOCUST];
    let ended = run(&mut xtask_e2e(NAME, &folder.join("first"), &arguments));
    // The one short scenario may have too few requests, or be disturbed.
    assert!(matches!(ended.code, Some(0 | 5)), "{}", ended.err);
    cluster.note_images(&ended.err);
    cluster
}

/// Deletes the cluster, as a user would.
///
/// # Panics
/// If that fails.
pub(crate) fn end_kind_cluster() {
    output_of(Command::new(required("E2E_XTASK")).arg("cleanup"));
}

pub(crate) struct KindNamespace {
    cluster: KeptCluster,
    namespace: Namespace,
}

impl KindNamespace {
    pub(crate) fn start(cluster: &KeptCluster, name: &str) -> Result<Self, Problem> {
        let cluster = cluster.create_namespace(name);
        answer(&mut cluster.driver(&deploy_arguments(LOCUST, &cluster.stub_image)))?;
        let namespace = Namespace::connect(&cluster.kubeconfig(), name)?;
        namespace.settle(SETTLES_WITHIN)?;
        Ok(Self { cluster, namespace })
    }

    fn in_node(&self, script: &str) -> Result<String, Problem> {
        answer(Command::new("docker").args(["exec", &self.cluster.node(), "sh", "-c", script]))
    }

    fn until_api_is_back(&self) -> Result<(), Problem> {
        let deadline = Instant::now() + API_BACK_WITHIN;
        loop {
            match self.namespace.api_version() {
                Ok(_) => return Ok(()),
                Err(problem) if Instant::now() > deadline => return Err(problem),
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }
}

impl Cluster for KindNamespace {
    fn name(&self) -> &'static str {
        "kind"
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn driver(&self) -> Command {
        self.cluster.driver::<&str>(&[])
    }

    fn kill_pod(&self, pod: &str) -> Result<(), Problem> {
        // The sandbox has no such variable, and lives on.
        self.in_node(&format!(
            "found=1; for p in /proc/[0-9]*; do if grep -qz '^HOSTNAME={pod}$' $p/environ 2>/dev/null; \
             then kill -KILL ${{p#/proc/}} && found=0; fi; done; exit $found"
        ))
        .map(drop)
    }

    /// Each script that takes something away gives it back itself, so that the end of this test cannot prevent it.
    fn strike_node(&self, fault: NodeFault, pause: Duration) -> Result<(), Problem> {
        let seconds = pause.as_secs_f64();
        match fault {
            NodeFault::ApiAway => {
                self.in_node(&format!(
                    "p=$(pgrep -f '^kube-apiserver ') && kill -STOP $p && sleep {seconds}; kill -CONT $p"
                ))?;
            }
            NodeFault::KillApi => {
                self.in_node("kill -KILL $(pgrep -f '^kube-apiserver ')")?;
            }
            NodeFault::KubeletStopped => {
                self.in_node(&format!("systemctl stop kubelet; sleep {seconds}; systemctl start kubelet"))?;
            }
            NodeFault::NetworkCut => {
                self.in_node(&format!(
                    "iptables -w -I INPUT -i eth0 -j DROP && iptables -w -I OUTPUT -o eth0 -j DROP; sleep {seconds}; \
                     iptables -w -D OUTPUT -o eth0 -j DROP; iptables -w -D INPUT -i eth0 -j DROP"
                ))?;
            }
            NodeFault::Paused => {
                answer(Command::new("docker").args(["pause", &self.cluster.node()]))?;
                std::thread::sleep(pause);
                answer(Command::new("docker").args(["unpause", &self.cluster.node()]))?;
            }
            NodeFault::KillCluster => return Err("all lanes share the cluster".into()),
        }
        self.until_api_is_back()
    }

    fn ask_master(&self, method: Method, pod: &str, path: &str) -> Result<String, Problem> {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}:8089/proxy{path}", self.namespace.name());
        let ask: &[&str] = match method {
            Method::Get => &["get", "--raw", &path],
            Method::Post => &["create", "--raw", &path, "-f", "/dev/null"],
        };
        answer(&mut self.cluster.kubectl(ask))
    }

    fn run_without_pod(&self) -> Result<Vec<String>, Problem> {
        let filter = format!(
            r#"labels."io.kubernetes.pod.namespace"=={},labels."io.cri-containerd.kind"==container"#,
            self.namespace.name()
        );
        // Containers that have ended are kept for their logs. Only those with a task run.
        let running = self.in_node(&format!(
            "running=$(ctr -n k8s.io tasks ls | awk '$3 == \"RUNNING\" {{ print $1 }}'); \
             for id in $(ctr -n k8s.io containers ls -q '{filter}'); do \
             case $running in *$id*) ctr -n k8s.io containers info $id | grep -m 1 'io.kubernetes.pod.name\"';; esac; done"
        ))?;
        let name = |line: &str| line.split('"').nth(3).unwrap_or_default().to_owned();
        let mut left: BTreeSet<String> = running.lines().map(name).collect();
        for pod in self.namespace.pods("")? {
            left.remove(&pod.name_any());
        }
        Ok(left.into_iter().map(|pod| format!("a container of pod {pod}")).collect())
    }

    fn settles_within(&self) -> Duration {
        SETTLES_WITHIN
    }

    fn bury(self: Box<Self>) -> Result<(), Problem> {
        self.end()
    }

    fn end(self: Box<Self>) -> Result<(), Problem> {
        let delete = ["delete", "namespace", self.namespace.name(), "--timeout=120s"];
        answer(&mut self.cluster.kubectl_without_namespace(&delete))?;
        let left = self.run_without_pod()?;
        if left.is_empty() { Ok(()) } else { Err(format!("these still run: {left:?}")) }
    }
}

/// Runs a command that must succeed, and returns its output.
fn answer(command: &mut Command) -> Result<String, Problem> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}
