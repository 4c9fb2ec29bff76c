//! Connecting to the API server.

use std::path::PathBuf;
use std::time::Duration;

use kube::api::PatchParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Config, Resource};

use crate::exit::{Error, Result};
use crate::wait::with_causes;

/// The field manager of everything this program writes.
pub const FIELD_MANAGER: &str = "locust-matrix";

/// How long the first connection to the API server may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the API server may take to tell its version.
const VERSION_WITHIN: Duration = Duration::from_secs(10);
/// A watch without an event for this long is reopened, which costs little; any other call fails, so that a
/// lost API server does not block the driver.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// Parameters of a merge patch with this program's field manager.
pub fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

/// Flags that choose the cluster and the namespace.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterFlags {
    /// Kubeconfig file (default: $KUBECONFIG, ~/.kube/config, or the pod's service account)
    #[arg(long, value_name = "FILE", global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig (default: its current context)
    #[arg(long, value_name = "NAME", global = true)]
    pub context: Option<String>,
    /// Namespace (default: the context's namespace, or the pod's own)
    #[arg(long, short, value_name = "NAME", global = true, env = "LOCUST_MATRIX_NAMESPACE")]
    pub namespace: Option<String>,
}

/// A connection to a cluster, bound to one namespace.
#[derive(Clone)]
pub struct Cluster {
    /// The API client.
    pub client: Client,
    /// The namespace of every object that this program reads or writes.
    pub namespace: String,
    /// The API server's address for messages, with the context if one was given.
    pub server: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Connects and asks the API server for its version, so that a missing cluster is reported before
    /// anything else is done.
    ///
    /// # Errors
    /// Exit code 3: no usable kubeconfig or context, or the server does not answer.
    pub async fn connect(flags: &ClusterFlags) -> Result<Self> {
        let advice = "give --kubeconfig and --context, or set KUBECONFIG; `kubectl config get-contexts` lists the contexts";
        let options = KubeConfigOptions { context: flags.context.clone(), ..KubeConfigOptions::default() };
        let config = match &flags.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).map_err(|error| {
                    Error::preflight(format!("kubeconfig {}: {}", path.display(), with_causes(&error)))
                        .next(advice)
                })?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(|error| with_causes(&error))
            }
            None if flags.context.is_some() => {
                Config::from_kubeconfig(&options).await.map_err(|error| with_causes(&error))
            }
            None => Config::infer().await.map_err(|error| with_causes(&error)),
        };
        let mut config =
            config.map_err(|error| Error::preflight(format!("no usable cluster: {error}")).next(advice))?;
        config.connect_timeout = Some(CONNECT_WITHIN);
        config.read_timeout = Some(READ_WITHIN);
        let namespace = flags.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let address = config.cluster_url.to_string();
        let server = match &flags.context {
            Some(context) => format!("{context} ({address})"),
            None => address.clone(),
        };
        let client = Client::try_from(config).map_err(|error| {
            Error::preflight(format!("cluster {address}: {}", with_causes(&error))).next(advice)
        })?;
        let no_answer = |details: String| {
            Error::preflight(format!("cluster {address} does not answer{details}"))
                .next("check that it runs: kubectl version; or choose another with --context")
        };
        match tokio::time::timeout(VERSION_WITHIN, client.apiserver_version()).await {
            Ok(Ok(_)) => Ok(Self { client, namespace, server }),
            Ok(Err(error)) => Err(no_answer(format!(": {}", with_causes(&error)))),
            Err(_) => Err(no_answer(format!(" after {} s", VERSION_WITHIN.as_secs()))),
        }
    }

    /// The API for one kind of object in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}
