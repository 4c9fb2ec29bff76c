//! The Kubernetes cluster. All this module knows about a cluster is its kubeconfig.

mod connection;
mod credentials;
mod failure;
#[cfg(test)]
mod fake_api;
mod forward;
mod kubeconfig;
mod lease;
mod ownership;
mod plugin;
mod pod_http;
mod pods;
mod proxy;
mod readiness;
mod retry;
mod rollout;
mod scale;

pub use connection::{Cluster, ClusterFlags, FIELD_MANAGER, patch_params};
pub use failure::explain;
#[cfg(test)]
pub(crate) use fake_api::{FakeApi, Fault};
pub use forward::{Destination, LocalPort, PortForward};
pub use lease::Lease;
pub use ownership::{OPERATION_APPLY, OPERATION_UPDATE, confirm_target, why_foreign};
pub use pod_http::PodHttp;
#[cfg(test)]
pub use pod_http::ScriptedPods;
pub use pods::{PodSummary, delete_pods, pods_of};
pub use readiness::{Assessment, assess, startup_failure};
pub use rollout::{Unready, await_gone, await_ready};
pub use scale::{Workload, read_workload, scale};
