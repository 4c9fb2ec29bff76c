//! Autoscalers of the service: found before the first scenario, and paused if the user asks for it.
//!
//! What a pause changes is kept in an annotation of the autoscaler itself, so that every later run can put it back,
//! even if the one that paused it was killed.

mod pause;

use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::core::discovery::ApiResource;
use serde_json::Value;

use self::pause::{PAUSED, is_paused_by_its_owner};
pub use self::pause::{pause_autoscalers, resume_autoscalers};
use super::connection::Cluster;
use super::managers::reconciler;
use super::workload::Workload;
use crate::events::{Events, Progress};
use crate::exit::{Error, Result};
use crate::wait::with_causes;

/// Something that scales a workload by itself.
#[derive(Clone, Debug)]
pub(super) struct Autoscaler {
    kind: Kind,
    object: DynamicObject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    HorizontalPodAutoscaler,
    /// KEDA's. It makes a HorizontalPodAutoscaler of its own and puts back what others change in it.
    ScaledObject,
}

impl Kind {
    fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = match self {
            Self::HorizontalPodAutoscaler => {
                ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
            }
            Self::ScaledObject => ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    fn api(self, cluster: &Cluster) -> Api<DynamicObject> {
        Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &self.resource())
    }
}

impl Autoscaler {
    fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    /// Kind and name, for messages.
    fn title(&self) -> String {
        format!("{:?} {}", self.kind, self.name())
    }

    fn is_paused_by_us(&self) -> bool {
        self.object.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(PAUSED))
    }

    /// The title and the range that it scales in.
    fn describe(&self, workload: &Workload) -> String {
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

/// The autoscalers of a workload that are active or that this program has paused; and why some kind of them cannot
/// be listed.
pub(super) async fn autoscalers_of(
    cluster: &Cluster,
    workload: &Workload,
) -> (Vec<Autoscaler>, Option<String>) {
    let mut found = Vec::new();
    let mut unknown = None;
    for kind in [Kind::ScaledObject, Kind::HorizontalPodAutoscaler] {
        match kind.api(cluster).list(&ListParams::default()).await {
            Ok(list) => found.extend(list.items.into_iter().map(|object| Autoscaler { kind, object })),
            // The cluster has no KEDA.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            // Without KEDA, too, this is the answer to those who may not list everything.
            Err(kube::Error::Api(status)) if status.code == 403 && kind == Kind::ScaledObject => {}
            Err(error) => unknown = Some(with_causes(&error)),
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

/// Whether a run that was killed has left an autoscaler of this workload paused.
pub async fn is_left_paused(cluster: &Cluster, workload: &Workload) -> bool {
    autoscalers_of(cluster, workload).await.0.iter().any(Autoscaler::is_paused_by_us)
}

/// Refuses a workload that something else scales, because a matrix sets the replicas itself. Tells about
/// reconcilers, and if autoscalers cannot be listed.
///
/// # Errors
/// Exit code 3: an autoscaler is active.
pub async fn refuse_autoscaled(cluster: &Cluster, workload: &Workload, events: &Events) -> Result<()> {
    let (found, unknown) = autoscalers_of(cluster, workload).await;
    if let Some(why) = unknown {
        events.tell(Progress::note(format!(
            "whether an autoscaler scales {} is not known: {why}",
            workload.describe()
        )));
    }
    if let Ok(object) = workload.api(cluster).get(&workload.name).await
        && let Some(manager) = reconciler(&object.metadata)
    {
        events.tell(Progress::note(format!(
            "{manager} may set the replicas of {}; if it puts back what the matrix sets, suspend it for the run",
            workload.describe()
        )));
    }
    let Some(first) = found.iter().find(|one| !one.is_paused_by_us()) else { return Ok(()) };
    Err(Error::preflight(format!("{}, and would change what the matrix sets", first.describe(workload)))
        .next("delete it for the run, or let the run pause it: --pause-autoscaler (pause_autoscaler: true)"))
}

#[cfg(test)]
mod tests;
