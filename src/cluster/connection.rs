//! Connecting to the API server.

use std::path::PathBuf;
use std::time::Duration;

use kube::api::PatchParams;
use kube::client::ClientBuilder;
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher::Config as WatchConfig;
use kube::{Api, Client, Config, Resource};
use tower::BoxError;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::timeout::TimeoutLayer;
use tower_http::timeout::ResponseBodyTimeoutLayer;

use super::credentials::Credentials;
use super::kubeconfig::{Reach, find};
use super::proxy::Proxy;
use super::retry::RetryIdempotent;
use crate::events::Events;
use crate::exit::{Error, Result};
use crate::wait::with_causes;

/// The field manager of everything this program writes.
pub const FIELD_MANAGER: &str = "locust-matrix";

/// How long the first connection to the API server may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the API server may take to tell its version.
const VERSION_WITHIN: Duration = Duration::from_secs(10);
/// How long the API server may take until it begins to answer a call.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// An answer that stands still for this long is given up, so that a lost API server does not block the driver.
/// Connections that wait for their next call do not count, as they would with kube's own read timeout.
pub(super) const STANDS_STILL: Duration = Duration::from_secs(30);
/// The API server ends a watch after this time, s, and it is opened again. It is shorter than [`STANDS_STILL`], so that a
/// watch without an event is not taken for an API server that is away: bookmarks come once a minute only.
const WATCH_FOR_S: u32 = 20;

/// Where a pod finds the name of its namespace.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Calls that may be on their way at once; others wait.
const CALLS_AT_ONCE: usize = 1024;

const OTHER_CONTEXT: &str =
    "give --kubeconfig and --context, or set KUBECONFIG; `kubectl config get-contexts` lists the contexts";
const LOG_IN: &str =
    "log in again, so that `kubectl version` works, or choose another context with --context";

/// How objects are watched.
pub fn watching() -> WatchConfig {
    WatchConfig::default().timeout(WATCH_FOR_S)
}

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

impl ClusterFlags {
    /// These flags as arguments of kubectl, each followed by a space; empty if none was given.
    pub fn for_kubectl(&self) -> String {
        let kubeconfig = self.kubeconfig.as_ref().map(|path| path.display().to_string());
        let flags = [("kubeconfig", &kubeconfig), ("context", &self.context), ("namespace", &self.namespace)];
        let given = flags.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        given.fold(String::new(), |all, (name, value)| format!("{all}--{name} {} ", quoted(value)))
    }
}

/// A value as a word for a shell.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@+,".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\\''"))
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
    /// anything else is done. A wait for a credential plugin is told.
    ///
    /// # Errors
    /// Exit code 3: no usable kubeconfig or context, no credentials, or the server does not answer.
    pub async fn connect(flags: &ClusterFlags, events: &Events) -> Result<Self> {
        let Reach { mut config, proxy, user } = find(flags.kubeconfig.as_deref(), flags.context.as_deref())
            .map_err(|problem| {
            Error::preflight(format!("no usable cluster: {problem}")).next(OTHER_CONTEXT)
        })?;
        config.connect_timeout = Some(CONNECT_WITHIN);
        config.read_timeout = None;
        // Its default tries 503 again for up to minutes.
        config.default_retry = false;
        let tell = events.waiting("the credential plugin");
        let credentials = Credentials::take(&mut config.auth_info, &tell).await.map_err(|problem| {
            Error::preflight(format!("no credentials for {}: {problem}", config.cluster_url)).next(LOG_IN)
        })?;
        let namespace = flags.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let address = config.cluster_url.to_string();
        let server = match &flags.context {
            Some(context) => format!("{context} ({address})"),
            None => address.clone(),
        };
        let way = proxy.map(|Proxy { uri, named_by }| format!(" through the proxy {uri} of {named_by}"));
        let subject = format!("cluster {address}{}", way.unwrap_or_default());
        let unusable = |error: &(dyn std::error::Error + 'static)| {
            Error::preflight(format!("{subject}: {}", with_causes(error))).next(OTHER_CONTEXT)
        };
        // The first call is not tried again: a user who named the wrong cluster should know at once.
        let first = hasty_client(config.clone(), &credentials).map_err(|error| unusable(error.as_ref()))?;
        let client = client(config, &credentials).map_err(|error| unusable(error.as_ref()))?;
        let no_answer = |details: String| {
            Error::preflight(format!("{subject} does not answer{details}"))
                .next("check that it runs: kubectl version; or choose another with --context")
        };
        match tokio::time::timeout(VERSION_WITHIN, first.apiserver_version()).await {
            Ok(Ok(_)) => Ok(Self { client, namespace, server }),
            Ok(Err(kube::Error::Api(status))) if status.code == 401 => {
                let expired = credentials.expired().await;
                let expired =
                    expired.map(|at| format!("; its token has expired at {at}")).unwrap_or_default();
                Err(Error::preflight(format!("{subject} does not accept {user} (401){expired}")).next(LOG_IN))
            }
            Ok(Err(error)) => Err(no_answer(format!(": {}", with_causes(&error)))),
            Err(_) => Err(no_answer(format!(" after {} s", VERSION_WITHIN.as_secs()))),
        }
    }

    /// Whether this program runs in a pod of this cluster and of this namespace. A pod of CI may work on another one.
    pub fn is_our_pods_own(&self) -> bool {
        let host = std::env::var("KUBERNETES_SERVICE_HOST").unwrap_or_default();
        let namespace = std::fs::read_to_string(OWN_NAMESPACE).unwrap_or_default();
        is_at(&self.server, &host) && namespace.trim() == self.namespace
    }

    /// Whether the API server answers.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn answers(&self) -> Result<(), String> {
        self.client.apiserver_version().await.map(drop).map_err(|error| with_causes(&error))
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

/// Whether the address of a server has this host.
fn is_at(server: &str, host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let own = server.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    let own = own.as_deref().map(|own| own.trim_start_matches('[').trim_end_matches(']'));
    !host.is_empty() && [Some(host), Some("kubernetes.default.svc")].contains(&own)
}

/// A client whose calls end in time, and are tried again where that does no harm.
fn client(config: Config, credentials: &Credentials) -> std::result::Result<Client, BoxError> {
    let builder = ClientBuilder::try_from(config)?
        .with_layer(&ResponseBodyTimeoutLayer::new(STANDS_STILL))
        .with_layer(&TimeoutLayer::new(ANSWERS_WITHIN))
        // The layers above cannot be cloned, and a retry needs a clone.
        .with_layer(&BufferLayer::new(CALLS_AT_ONCE))
        .with_layer(credentials)
        .with_layer(&RetryLayer::new(RetryIdempotent::new()?));
    Ok(builder.build())
}

/// A client whose calls are not tried again.
fn hasty_client(config: Config, credentials: &Credentials) -> std::result::Result<Client, BoxError> {
    let builder = ClientBuilder::try_from(config)?.with_layer(&BufferLayer::new(1)).with_layer(credentials);
    Ok(builder.build())
}

#[cfg(test)]
mod tests;
