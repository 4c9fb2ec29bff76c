//! The autoscalers of a workload: HorizontalPodAutoscalers and KEDA's ScaledObjects.

use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::core::discovery::ApiResource;
use serde_json::Value;

use crate::cluster::connection::Cluster;
use crate::cluster::workload::Workload;
use crate::wait::with_causes;

/// The annotation with what a pause has changed.
pub(super) const PAUSED: &str = "locust-matrix/paused";
/// KEDA's own annotations for a pause.
pub(super) const KEDA_PAUSED: &str = "autoscaling.keda.sh/paused";
const KEDA_PAUSED_AT: &str = "autoscaling.keda.sh/paused-replicas";
/// Something that scales a workload by itself.
#[derive(Clone, Debug)]
pub(super) struct Autoscaler {
    pub(super) kind: Kind,
    pub(super) object: DynamicObject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    HorizontalPodAutoscaler,
    /// KEDA's. It makes a HorizontalPodAutoscaler of its own and puts back what others change in it.
    ScaledObject,
}

impl Kind {
    pub(super) fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = match self {
            Self::HorizontalPodAutoscaler => {
                ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
            }
            Self::ScaledObject => ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    pub(super) fn api(self, cluster: &Cluster) -> Api<DynamicObject> {
        Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &self.resource())
    }
}

impl Autoscaler {
    pub(super) fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    /// Kind and name, for messages.
    pub(super) fn title(&self) -> String {
        format!("{:?} {}", self.kind, self.name())
    }

    pub(super) fn is_paused_by_us(&self) -> bool {
        self.object.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(PAUSED))
    }

    /// The title and the range that it scales in.
    pub(super) fn describe(&self, workload: &Workload) -> String {
        let spec = &self.object.data["spec"];
        let (least, most) = match self.kind {
            Kind::HorizontalPodAutoscaler => (&spec["minReplicas"], &spec["maxReplicas"]),
            Kind::ScaledObject => (&spec["minReplicaCount"], &spec["maxReplicaCount"]),
        };
        let least = least.as_i64().unwrap_or(1);
        let most = most.as_i64().map(|most| format!(" and {most}")).unwrap_or_default();
        let between = if most.is_empty() { "from" } else { "between" };
        format!("{} scales {} {between} {least}{most}", self.title(), workload.describe())
    }
}

/// Why autoscalers cannot be listed, and the server's code.
type Unlisted = (String, Option<u16>);

/// The autoscalers of a workload that are active or that this program has paused; and why some kind of them cannot
/// be listed.
pub(super) async fn autoscalers_of(
    cluster: &Cluster,
    workload: &Workload,
) -> (Vec<Autoscaler>, Option<Unlisted>) {
    let mut found = Vec::new();
    let mut unknown = None;
    for kind in [Kind::ScaledObject, Kind::HorizontalPodAutoscaler] {
        match kind.api(cluster).list(&ListParams::default()).await {
            Ok(list) => found.extend(list.items.into_iter().map(|object| Autoscaler { kind, object })),
            // The cluster has no KEDA.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            // Without KEDA, too, this is the answer to those who may not list everything.
            Err(kube::Error::Api(status)) if status.code == 403 && kind == Kind::ScaledObject => {}
            Err(error) => {
                let code = match &error {
                    kube::Error::Api(status) => Some(status.code),
                    _ => None,
                };
                unknown = Some((with_causes(&error), code));
            }
        }
    }
    found.retain(|one| scales(&one.object.data["spec"]["scaleTargetRef"], one.kind, workload));
    let by_keda = found.iter().any(|one| one.kind == Kind::ScaledObject);
    found.retain(|one| {
        let is_kedas =
            one.object.metadata.owner_references.iter().flatten().any(|owner| owner.kind == "ScaledObject");
        !(by_keda && is_kedas || is_paused_by_its_owner(one))
    });
    (found, unknown)
}

fn scales(target: &Value, kind: Kind, workload: &Workload) -> bool {
    // KEDA's reference means a Deployment unless it says otherwise.
    let default = if kind == Kind::ScaledObject { "Deployment" } else { "" };
    let version = target["apiVersion"].as_str().unwrap_or_default();
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    target["name"] == workload.name.as_str()
        && target["kind"].as_str().unwrap_or(default) == workload.resource.kind
        && (version.is_empty() || group == workload.resource.group)
}

/// Whether somebody else has paused it.
fn is_paused_by_its_owner(one: &Autoscaler) -> bool {
    let annotations = one.object.metadata.annotations.as_ref();
    let has = |key: &str| annotations.is_some_and(|all| all.get(key).is_some_and(|value| value != "false"));
    one.kind == Kind::ScaledObject && !has(PAUSED) && (has(KEDA_PAUSED) || has(KEDA_PAUSED_AT))
}
