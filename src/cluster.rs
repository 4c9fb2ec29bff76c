//! The Kubernetes cluster, known by nothing but a kubeconfig.

mod failure;
mod forward;
mod guard;
mod lease;
mod reach;
mod readiness;
mod rollout;
mod scale;

use std::path::PathBuf;
use std::time::Duration;

use kube::api::PatchParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Config, Resource};

pub use failure::explain;
pub use forward::{Destination, Forward, LocalPort};
pub use guard::{APPLIED, WRITTEN, guard, is_ours};
pub use lease::{Lease, LeaseGuard};
pub use reach::Reach;
#[cfg(test)]
pub use reach::Script;
pub use readiness::{Assessment, assess, broken};
pub use rollout::{PodId, Unready, await_gone, await_ready, pods_of};
pub use scale::{Workload, scale, workload};

use crate::exit::{Error, Result};
use crate::wait::seen;

/// The Deployment of Locust's master in the manifests.
pub const MASTER: &str = "locust-master";
/// The Deployment of Locust's workers in the manifests.
pub const WORKER: &str = "locust-worker";
/// The Job of the driver in the manifests; also the name of its Lease.
pub const JOB: &str = "locust-load-test-matrix";
/// The name under which this program applies objects.
pub const FIELD_MANAGER: &str = "locust-matrix";

/// A patch in this program's name, to merge into an object that is there.
pub fn as_ourselves() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

/// Which cluster, and which namespace in it.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterFlags {
    /// Kubeconfig file (default: $KUBECONFIG, ~/.kube/config, or the pod's own account)
    #[arg(long, value_name = "FILE", global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig (default: its current one)
    #[arg(long, value_name = "NAME", global = true)]
    pub context: Option<String>,
    /// Namespace (default: the context's, or the pod's own)
    #[arg(long, short, value_name = "NAME", global = true, env = "LOCUST_MATRIX_NAMESPACE")]
    pub namespace: Option<String>,
}

/// A connection to a cluster, bound to one namespace.
#[derive(Clone)]
pub struct Cluster {
    /// The API client.
    pub client: Client,
    /// The namespace everything happens in.
    pub namespace: String,
    /// The API server's address and the context it was chosen by, for people.
    pub server: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Connects and asks the API server for its version, so that a cluster that is not there is
    /// found before anything else.
    ///
    /// # Errors
    /// Exit code 3: no usable kubeconfig or context, or the server does not answer.
    pub async fn connect(flags: &ClusterFlags) -> Result<Self> {
        let advice = "give --kubeconfig and --context, or set KUBECONFIG; `kubectl config get-contexts` lists what there is";
        let options = KubeConfigOptions { context: flags.context.clone(), ..KubeConfigOptions::default() };
        let config = match &flags.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).map_err(|error| {
                    Error::preflight(format!("kubeconfig {}: {}", path.display(), seen(&error))).next(advice)
                })?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(|error| seen(&error))
            }
            None if flags.context.is_some() => {
                Config::from_kubeconfig(&options).await.map_err(|error| seen(&error))
            }
            None => Config::infer().await.map_err(|error| seen(&error)),
        };
        let mut config =
            config.map_err(|error| Error::preflight(format!("no usable cluster: {error}")).next(advice))?;
        config.connect_timeout = Some(Duration::from_secs(5));
        // A watch that hears nothing for this long is opened anew, which costs little; a call to a server
        // that is gone ends.
        config.read_timeout = Some(Duration::from_secs(30));
        let namespace = flags.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string();
        let described =
            flags.context.as_ref().map_or(server.clone(), |context| format!("{context} ({server})"));
        let client = Client::try_from(config)
            .map_err(|error| Error::preflight(format!("cluster {server}: {}", seen(&error))).next(advice))?;
        let silent = |what: String| {
            Error::preflight(format!("cluster {server} does not answer: {what}"))
                .next("check that it runs: kubectl version; or choose another with --context")
        };
        match tokio::time::timeout(Duration::from_secs(10), client.apiserver_version()).await {
            Ok(Ok(_)) => Ok(Self { client, namespace, server: described }),
            Ok(Err(error)) => Err(silent(seen(&error))),
            Err(_) => Err(silent("nothing within 10 s".into())),
        }
    }

    /// The objects of one kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}
