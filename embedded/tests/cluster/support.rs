//! A cluster for each test, and functions that wait for a state.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{DeleteParams, ListParams, LogParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Config, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A test that waits this long has failed, even on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// The image of most pods: a shell.
pub(crate) const IMAGE: &str = "shell:1";

/// A cluster that ends with its test.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) process: Child,
    pub(crate) folder: TempDir,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        // Several libraries may bring a TLS provider, so one has to be chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        let mut process = command(folder.path()).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready: "), "{line}");
        let kubeconfig = Kubeconfig::read_from(folder.path().join("kubeconfig")).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        Self { client, process, folder }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::default_namespaced(self.client.clone())
    }

    pub(crate) async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        let object = serde_json::from_value(object).unwrap();
        self.api::<K>().create(&PostParams::default(), &object).await.unwrap()
    }

    /// Creates a pod with one shell. `container` and `spec` are added to the container and to the pod's spec.
    pub(crate) async fn pod(&self, name: &str, script: &str, container: Value, spec: Value) -> Pod {
        self.create(json!({
            "metadata": { "name": name, "labels": { "app": name } },
            "spec": shell(script, container, spec),
        }))
        .await
    }

    pub(crate) async fn delete<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        self.api::<K>().delete(name, &DeleteParams::background()).await.unwrap();
    }

    /// Waits until an object has the wanted state.
    pub(crate) async fn await_object<K>(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        let api = self.api::<K>();
        eventually(|| async {
            let object =
                serde_json::to_value(api.get(name).await.map_err(|error| error.to_string())?).unwrap();
            if wanted(&object) { Ok(object) } else { Err(format!("{:#}", object["status"])) }
        })
        .await
    }

    pub(crate) async fn await_gone<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        let api = self.api::<K>();
        eventually(|| async {
            let found = api.get_opt(name).await.map_err(|error| error.to_string())?;
            found.map_or(Ok(()), |found| Err(format!("{found:?}")))
        })
        .await;
    }

    /// The pods with these labels that are not being deleted.
    pub(crate) async fn pods(&self, selector: &str) -> Vec<Value> {
        let pods = self.api::<Pod>().list(&ListParams::default().labels(selector)).await.unwrap();
        let pods = pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        pods.map(|pod| serde_json::to_value(pod).unwrap()).collect()
    }

    pub(crate) async fn log(&self, pod: &str) -> String {
        self.api::<Pod>().logs(pod, &LogParams::default()).await.unwrap()
    }

    /// The reasons of the events of an object.
    pub(crate) async fn reasons(&self, name: &str) -> Vec<String> {
        self.events(name).await.into_iter().filter_map(|event| event.reason).collect()
    }

    /// The messages of the events of an object.
    pub(crate) async fn messages(&self, name: &str) -> Vec<String> {
        self.events(name).await.into_iter().filter_map(|event| event.message).collect()
    }

    async fn events(&self, name: &str) -> Vec<Event> {
        let params = ListParams::default().fields(&format!("involvedObject.name={name}"));
        self.api::<Event>().list(&params).await.unwrap().items
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The command that starts a cluster with its files in `folder` and the image `shell`.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locust-matrix-cluster"));
    command.arg("--kubeconfig").arg(folder.join("kubeconfig")).arg("--state").arg(folder.join("state"));
    command.args(["--image", "shell=/bin/sh"]);
    command
}

/// The spec of a pod with one shell.
pub(crate) fn shell(script: &str, container: Value, spec: Value) -> Value {
    let mut whole = json!({ "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false });
    let mut only = json!({ "name": "main", "image": IMAGE, "args": ["-c", script] });
    for (target, more) in [(&mut only, container), (&mut whole, spec)] {
        let more = more.as_object().unwrap().clone();
        target.as_object_mut().unwrap().extend(more);
    }
    whole["containers"] = json!([only]);
    whole
}

/// Repeats `look` until it succeeds. If it does not succeed in time, the test fails with the last error.
pub(crate) async fn eventually<T, F: Future<Output = Result<T, String>>>(mut look: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < deadline, "waited {DEADLINE:?}; last seen: {seen}"),
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// IDs of the processes whose command line or environment contains this text.
pub(crate) fn processes(text: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let contains = |id: &u32| {
        ["cmdline", "environ"].iter().any(|file| {
            let bytes = std::fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(text)
        })
    };
    ids.filter(|id| *id != std::process::id()).filter(contains).collect()
}

/// IDs of those processes of a cluster whose command line contains `argument`.
pub(crate) fn processes_with_argument(state: &str, argument: &str) -> Vec<u32> {
    let has_argument = |id: &u32| {
        std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default().contains(argument)
    };
    processes(state).into_iter().filter(has_argument).collect()
}
