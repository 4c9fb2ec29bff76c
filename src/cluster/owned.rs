//! Which pods are a workload's: those whose owner references lead to it. Others may have the same labels: a canary,
//! the pods of a Job, another team's service.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Api;
use kube::api::DynamicObject;
use kube::core::GroupVersionKind;
use kube::core::discovery::ApiResource;

use super::connection::Cluster;
use super::failure::explain;
use super::workload::Workload;
use crate::exit::Result;

/// Owners are followed so far. A Deployment's pod has two; kinds that make Deployments add one or two.
const MOST_OWNERS: usize = 5;
/// Kinds that own pods, and that no workload with replicas owns.
const NEVER_OWNED: [&str; 3] = ["Job", "DaemonSet", "Node"];
/// The labels that a Deployment and an Argo Rollout give to their ReplicaSets and the pods of these.
const HASHES: [&str; 2] = ["pod-template-hash", "rollouts-pod-template-hash"];

/// What is known of the owners of pods. Owner references never change, so that each owner is read once.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// The controller of each owner that was read, by its UID; `None` if it has none.
    controllers: BTreeMap<String, Option<OwnerReference>>,
    /// The owners that cannot be read: they are gone, or the permission is missing.
    unreadable: BTreeSet<String>,
}

impl Owners {
    /// The pods of `workload` among `pods`.
    ///
    /// # Errors
    /// Exit code 4: the API server does not answer.
    pub(super) async fn pods_of(
        &mut self,
        cluster: &Cluster,
        workload: &Workload,
        pods: impl IntoIterator<Item = Pod>,
    ) -> Result<Vec<Pod>> {
        let mut own = Vec::new();
        for pod in pods {
            if self.is_owned(cluster, workload, &pod).await? {
                own.push(pod);
            }
        }
        Ok(own)
    }

    async fn is_owned(&mut self, cluster: &Cluster, workload: &Workload, pod: &Pod) -> Result<bool> {
        let mut next = controller(&pod.metadata).cloned();
        for _ in 0..MOST_OWNERS {
            let Some(owner) = next else { return Ok(false) };
            if owner.uid == workload.uid {
                return Ok(true);
            }
            if NEVER_OWNED.contains(&owner.kind.as_str()) {
                return Ok(false);
            }
            if self.unreadable.contains(&owner.uid) {
                return Ok(is_named_after(&owner, workload, pod));
            }
            let known = self.controllers.get(&owner.uid).cloned();
            next = if let Some(known) = known {
                known
            } else if let Some(controller) = read_controller(cluster, &owner).await? {
                self.controllers.insert(owner.uid, controller.clone());
                controller
            } else {
                self.unreadable.insert(owner.uid.clone());
                return Ok(is_named_after(&owner, workload, pod));
            };
        }
        Ok(false)
    }
}

/// The controller of an owner; `None` if the owner is gone or may not be read.
async fn read_controller(
    cluster: &Cluster,
    owner: &OwnerReference,
) -> Result<Option<Option<OwnerReference>>> {
    let (group, version) = owner.api_version.rsplit_once('/').unwrap_or(("", &owner.api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &owner.kind));
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource);
    match api.get(&owner.name).await {
        Ok(found) if found.metadata.uid.as_deref() == Some(&owner.uid) => {
            Ok(Some(controller(&found.metadata).cloned()))
        }
        // Another object has its name now.
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Ok(None),
        Err(error) => Err(explain(&format!("{} {}, which owns pods", owner.kind, owner.name), &error)),
    }
}

/// Whether an owner that cannot be read has the name that the workload gives to its ReplicaSets: its own name, and
/// the hash that the pod has as a label.
fn is_named_after(owner: &OwnerReference, workload: &Workload, pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    let hashes = HASHES.iter().filter_map(|label| labels?.get(*label));
    owner.kind == "ReplicaSet"
        && hashes.into_iter().any(|hash| owner.name == format!("{}-{hash}", workload.name))
}

fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{FakeApi, Fault};
    use crate::exit::ExitCode;
    use serde_json::{Value, json};

    const SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";

    fn owner(kind: &str, name: &str, uid: &str) -> Value {
        let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
        json!({ "apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": true })
    }

    fn pod(name: &str, owner: Option<Value>) -> Pod {
        let owners: Vec<Value> = owner.into_iter().collect();
        let labels = json!({ "app": "bert", "pod-template-hash": "5d8" });
        let metadata = json!({ "name": name, "labels": labels, "ownerReferences": owners });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn put_set(api: &FakeApi, name: &str, uid: &str, owner: &Value) {
        let metadata = json!({ "name": name, "uid": uid, "ownerReferences": [owner] });
        api.put(&format!("{SETS}/{name}"), json!({ "metadata": metadata }));
    }

    fn names(pods: &[Pod]) -> Vec<&str> {
        pods.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect()
    }

    async fn own(api: &FakeApi, pods: Vec<Pod>) -> Vec<String> {
        let workload = Workload { uid: "d1".into(), ..Workload::for_tests("bert") };
        let own = Owners::default().pods_of(&api.cluster(), &workload, pods).await.unwrap();
        names(&own).into_iter().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn pods_with_the_same_labels_belong_to_the_workload_that_their_owners_lead_to() {
        let api = FakeApi::default();
        put_set(&api, "bert-5d8", "s1", &owner("Deployment", "bert", "d1"));
        put_set(&api, "bert-canary-5d8", "s2", &owner("Deployment", "bert-canary", "d2"));
        let pods = vec![
            pod("mine", Some(owner("ReplicaSet", "bert-5d8", "s1"))),
            pod("canary", Some(owner("ReplicaSet", "bert-canary-5d8", "s2"))),
            pod("job", Some(owner("Job", "bert-load", "j1"))),
            pod("bare", None),
            pod("direct", Some(owner("StatefulSet", "bert", "d1"))),
            pod("mine-too", Some(owner("ReplicaSet", "bert-5d8", "s1"))),
        ];
        assert_eq!(own(&api, pods).await, ["mine", "direct", "mine-too"]);
        let reads = api.calls().iter().filter(|call| call.ends_with("/bert-5d8")).count();
        assert_eq!(reads, 1, "each owner is read once");
        assert!(!api.calls().iter().any(|call| call.contains("/jobs/")), "a Job is never a workload's");
    }

    #[tokio::test]
    async fn an_owner_that_is_gone_or_may_not_be_read_is_known_by_its_name() {
        let api = FakeApi::default();
        let pods = || {
            vec![
                pod("leaving", Some(owner("ReplicaSet", "bert-5d8", "s1"))),
                pod("canary", Some(owner("ReplicaSet", "bert-canary-5d8", "s2"))),
            ]
        };
        assert_eq!(own(&api, pods()).await, ["leaving"]);
        api.fail(|_, _, _| Some(Fault::Refused(403)));
        assert_eq!(own(&api, pods()).await, ["leaving"]);
        api.fail(|_, _, _| Some(Fault::Refused(500)));
        let workload = Workload { uid: "d1".into(), ..Workload::for_tests("bert") };
        let error = Owners::default().pods_of(&api.cluster(), &workload, pods()).await.unwrap_err();
        assert_eq!(error.code, ExitCode::Cluster, "a server that is away says nothing about the owner");
    }
}
