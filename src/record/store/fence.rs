//! A ConfigMap that only one driver at a time can write.
//!
//! Each write names its driver in an annotation, and the resource version that it follows. The API server refuses
//! a write that follows an older version. The driver then reads the object again, and goes on only if its own name
//! still stands there.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Patch;
use serde_json::{Value, json};

use crate::cluster::{Cluster, explain, patch_params};
use crate::exit::{Error, Result};
use crate::objects::JOB;

/// The annotation with the driver's name on the Lease.
const HOLDER: &str = "locust-matrix/holder";
/// Attempts at a write that conflicts with the write of another client, such as of a label.
const CONFLICTS: usize = 5;

/// A ConfigMap as this driver has seen it last.
#[derive(Debug)]
pub(super) struct Fenced {
    cluster: Cluster,
    holder: String,
    seen: ConfigMap,
}

impl Fenced {
    /// A ConfigMap that was read.
    pub(super) fn of(cluster: &Cluster, holder: &str, seen: ConfigMap) -> Self {
        Self { cluster: cluster.clone(), holder: holder.to_owned(), seen }
    }

    /// Takes the ConfigMap over from an earlier driver, with the content that this driver has read.
    ///
    /// # Errors
    /// Exit code 3: the permission is missing; 4: the API server failed, or the content has changed since.
    pub(super) async fn claim(&mut self) -> Result<()> {
        for _ in 0..CONFLICTS {
            if self.try_patch(json!({})).await? {
                return Ok(());
            }
            let before = (self.seen.data.clone(), self.seen.binary_data.clone());
            self.seen = self.read().await?;
            if before != (self.seen.data.clone(), self.seen.binary_data.clone()) {
                let problem = "another driver has written to it since its records were read";
                return Err(Error::cluster(format!("{}: {problem}", self.subject()))
                    .next("start again: the run goes on with all records"));
            }
        }
        Err(self.restless())
    }

    /// Changes the ConfigMap, unless another driver has claimed it.
    ///
    /// # Errors
    /// Exit code 3: the permission is missing; 4: the API server failed, or another driver has claimed it.
    pub(super) async fn patch(&mut self, patch: Value) -> Result<()> {
        for _ in 0..CONFLICTS {
            if self.try_patch(patch.clone()).await? {
                return Ok(());
            }
            self.seen = self.read().await?;
            let annotations = self.seen.metadata.annotations.as_ref();
            let holder = annotations.and_then(|annotations| annotations.get(HOLDER));
            if holder != Some(&self.holder) {
                let other = holder.map_or("another driver", String::as_str);
                return Err(Error::cluster(format!(
                    "{}: {other} writes its records there now",
                    self.subject()
                ))
                .next(format!("see which driver runs: kubectl get lease {JOB} -o yaml")));
            }
        }
        Err(self.restless())
    }

    /// False if the ConfigMap has changed since this driver has seen it.
    async fn try_patch(&mut self, mut patch: Value) -> Result<bool> {
        let version = &self.seen.metadata.resource_version;
        patch["metadata"] = json!({ "resourceVersion": version, "annotations": { HOLDER: self.holder } });
        let maps = self.cluster.api::<ConfigMap>();
        match maps.patch(&self.name(), &patch_params(), &Patch::Merge(&patch)).await {
            Ok(map) => {
                self.seen = map;
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(explain(&self.subject(), &error)),
        }
    }

    async fn read(&self) -> Result<ConfigMap> {
        let map = self.cluster.api::<ConfigMap>().get(&self.name()).await;
        map.map_err(|error| explain(&self.subject(), &error))
    }

    fn restless(&self) -> Error {
        Error::cluster(format!("{}: it changes all the time", self.subject()))
            .next("see who writes it: kubectl get configmap -o yaml --show-managed-fields")
    }

    fn name(&self) -> String {
        self.seen.metadata.name.clone().unwrap_or_default()
    }

    fn subject(&self) -> String {
        format!("configmap {}/{}", self.cluster.namespace, self.name())
    }
}
