//! The Kubernetes cluster. All this module knows about a cluster is its kubeconfig.

mod autoscaler;
mod connection;
mod credentials;
mod evidence;
mod failure;
#[cfg(test)]
mod fake_api;
mod forward;
mod gone;
mod kinds;
mod kubeconfig;
mod last_words;
mod lease;
mod listed;
mod managers;
mod overdue;
mod owned;
mod ownership;
mod plugin;
mod pod_http;
mod pod_state;
mod pods;
mod proxy;
mod readiness;
mod retry;
mod rollout;
mod scale;
mod unready;
mod workload;

pub use autoscaler::{is_left_paused, pause_autoscalers, refuse_autoscaled, resume_autoscalers};
pub use connection::{Cluster, ClusterFlags, FIELD_MANAGER, patch_params, watching};
pub use evidence::refusal_in;
pub use failure::explain;
#[cfg(test)]
pub(crate) use fake_api::{FakeApi, Fault};
pub use forward::{Destination, LocalPort, PortForward};
pub use gone::await_gone;
pub use last_words::{LastWords, last_words};
pub use lease::Lease;
pub use overdue::Overdue;
pub use ownership::{OPERATION_APPLY, OPERATION_UPDATE, confirm_target, why_foreign};
pub use pod_http::PodHttp;
#[cfg(test)]
pub use pod_http::ScriptedPods;
pub use pod_state::startup_failure;
pub use pods::{ContainerFacts, PodSummary, delete_pods_of, pods_of};
pub use readiness::{Assessment, assess};
pub use rollout::{Patience, await_ready};
pub use scale::{may_scale, rescaled, scale};
pub use unready::Unready;
pub use workload::{Workload, put_back, read_workload};
