//! Port forwarding: a local port whose connections end in a pod of the cluster.
//!
//! Every connection is forwarded separately, to a pod that is ready at that time. A pod or API server that is
//! away for a moment therefore costs one request, not the run.

use std::net::{Ipv4Addr, SocketAddr};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::client::UpgradeConnectionError;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::connection::Cluster;
use super::failure::explain;
use super::owned::Owners;
use super::pod_state::is_ready;
use super::workload::Workload;
use crate::exit::{Error, Result};
use crate::wait::with_causes;

/// The pod at the far end of a forwarded port.
#[derive(Clone, Debug)]
pub enum Destination {
    /// The pod of this name.
    Pod(String),
    /// Any ready pod of this workload.
    ReadyPodOf(Box<Workload>),
}

impl Destination {
    /// The name of the pod.
    async fn pod(&self, cluster: &Cluster) -> Result<String> {
        match self {
            Self::Pod(name) => Ok(name.clone()),
            Self::ReadyPodOf(workload) => find_ready_pod(cluster, workload).await,
        }
    }
}

/// A port of this machine that is bound, but not forwarded yet.
#[derive(Debug)]
pub struct LocalPort(TcpListener);

impl LocalPort {
    /// Binds `port` of the loopback address; 0 means any free port.
    ///
    /// # Errors
    /// Exit code 3: the port is in use, or binding it is not permitted.
    pub async fn bind(port: u16) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address).await.map(Self).map_err(|error| {
            let next = match port {
                0 => "free some ports, or give Locust's address with --locust-url".to_owned(),
                _ => format!(
                    "end the program that uses it (ss -ltnp 'sport = :{port}'), or choose another port"
                ),
            };
            Error::preflight(format!("port {port} of this machine cannot be bound: {error}")).next(next)
        })
    }
}

/// A local port that is forwarded to a pod until this value is dropped.
#[derive(Debug)]
pub struct PortForward {
    /// Address of the local end, such as `http://127.0.0.1:40001`.
    pub url: String,
    accepting: JoinHandle<()>,
}

impl PortForward {
    /// Binds a free local port and forwards it to `port` of the destination.
    ///
    /// # Errors
    /// Exit code 3: no local port can be bound.
    pub async fn open(cluster: &Cluster, destination: Destination, port: u16) -> Result<Self> {
        Self::through(LocalPort::bind(0).await?, cluster, destination, port)
    }

    /// Opens a forwarded port once, to check that the API server permits it. Returns no error for problems that a later try
    /// may not have, such as a pod that is not ready.
    ///
    /// # Errors
    /// Exit code 3: the API server, or a proxy before it, refuses to forward ports.
    pub async fn may_open(cluster: &Cluster, destination: &Destination, port: u16) -> Result<()> {
        let Ok(pod) = destination.pod(cluster).await else { return Ok(()) };
        let asked = cluster.api::<Pod>().portforward(&pod, &[port]).await;
        let Err(kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status))) = asked
        else {
            return Ok(());
        };
        // Other statuses are those of a pod that is gone or of a busy server: a later try may succeed.
        if !matches!(status.as_u16(), 400 | 401 | 403 | 405) {
            return Ok(());
        }
        let problem = format!(
            "ports of pod {}/{pod} cannot be forwarded: the API server answers {status}",
            cluster.namespace
        );
        Err(Error::preflight(problem).next(
            "ask for the right to get and create pods/portforward (a proxy must let WebSockets through), give Locust's \
             address with --locust-url, or measure with: locust-matrix job",
        ))
    }

    /// Forwards a local port that is already bound to `port` of the destination.
    ///
    /// # Errors
    /// Exit code 3: the operating system does not tell the local port's number.
    pub fn through(
        LocalPort(listener): LocalPort,
        cluster: &Cluster,
        destination: Destination,
        port: u16,
    ) -> Result<Self> {
        let address = listener
            .local_addr()
            .map_err(|error| Error::preflight(format!("the bound local port has no address: {error}")))?;
        let cluster = cluster.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (cluster, destination) = (cluster.clone(), destination.clone());
                tokio::spawn(async move {
                    // The client sees a closed connection and tries again; the reason is for debugging.
                    if let Err(error) = forward(&cluster, &destination, port, connection).await {
                        tracing::debug!("{error}");
                    }
                });
            }
        });
        Ok(Self { url: format!("http://{address}"), accepting })
    }
}

impl Drop for PortForward {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Copies one connection to the pod and back until either side closes it.
async fn forward(
    cluster: &Cluster,
    destination: &Destination,
    port: u16,
    mut local: TcpStream,
) -> Result<()> {
    let pod = destination.pod(cluster).await?;
    let subject = format!("port {port} of pod {}/{pod}", cluster.namespace);
    let mut forwarder =
        cluster.api::<Pod>().portforward(&pod, &[port]).await.map_err(|error| explain(&subject, &error))?;
    let mut remote =
        forwarder.take_stream(port).ok_or_else(|| Error::cluster(format!("{subject}: no stream")))?;
    let copied = copy_bidirectional(&mut local, &mut remote).await;
    copied.map(drop).map_err(|error| Error::cluster(format!("{subject}: {}", with_causes(&error))))
}

async fn find_ready_pod(cluster: &Cluster, workload: &Workload) -> Result<String> {
    let name = workload.describe();
    let pods = cluster.api::<Pod>().list(&ListParams::default().labels(&workload.selector)).await;
    let mut ready = pods.map_err(|error| explain(&format!("list the pods of {name}"), &error))?.items;
    ready.retain(|pod| is_ready(pod) && pod.metadata.deletion_timestamp.is_none());
    // Where the workload was created anew, only the labels are left to find its pods by.
    let own = Owners::default().pods_of(cluster, workload, ready.clone()).await?;
    let pod = own.into_iter().next().or_else(|| ready.into_iter().next());
    pod.and_then(|pod| pod.metadata.name)
        .ok_or_else(|| Error::cluster(format!("no pod of {name} is ready in {}", cluster.namespace)))
}
