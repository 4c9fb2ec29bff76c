//! A namespace with Locust and the stub, as the API shows it, for tests that disturb it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::serde::de::DeserializeOwned;
use kube::api::{Api, DeleteParams, EvictParams, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource, ResourceExt};
use serde_json::json;

/// A problem in words.
pub type Problem = String;

/// The API server is on this machine.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// A namespace of a cluster, and a connection to its API server.
pub struct Namespace {
    name: String,
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Namespace {
    /// Connects with a kubeconfig.
    ///
    /// # Errors
    /// The kubeconfig cannot be used.
    pub fn connect(kubeconfig: &Path, name: &str) -> Result<Self, Problem> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let client = runtime.block_on(connect(kubeconfig))?;
        Ok(Self { name: name.to_owned(), runtime, client })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the API server, which shows that it answers.
    ///
    /// # Errors
    /// It does not.
    pub fn api_version(&self) -> Result<String, Problem> {
        Ok(self.block_on(self.client.apiserver_version())?.git_version)
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
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.name);
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
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.name);
        self.block_on(api.delete(name, &DeleteParams::default())).map(drop)
    }

    /// Evicts a pod, as `kubectl drain` does.
    ///
    /// # Errors
    /// The API server does not answer, or refuses it.
    pub fn evict_pod(&self, name: &str) -> Result<(), Problem> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.name);
        self.block_on(api.evict(name, &EvictParams::default())).map(drop)
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

    /// Takes each Lease from its holder, for tests that know that the holder does not run any more. Else the next driver
    /// waits until the Lease has expired.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn free_leases(&self) -> Result<(), Problem> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.name);
        let free = json!({ "spec": { "holderIdentity": "" } });
        for lease in self.list::<Lease>("")? {
            self.block_on(api.patch(&lease.name_any(), &PatchParams::default(), &Patch::Merge(&free)))?;
        }
        Ok(())
    }
}

async fn connect(kubeconfig: &Path) -> Result<Client, Problem> {
    let text = |error: &dyn std::fmt::Display| format!("{}: {error}", kubeconfig.display());
    let kubeconfig = Kubeconfig::read_from(kubeconfig).map_err(|error| text(&error))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.map_err(|error| text(&error))?).map_err(|error| text(&error))
}
