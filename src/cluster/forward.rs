//! A way into the cluster from outside: a local port whose connections end in a pod.
//!
//! Each connection is forwarded by itself, to a pod that is ready at that time, so that a pod or an API
//! server that was away costs a request and not the run.

use std::net::{Ipv4Addr, SocketAddr};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::readiness::is_ready;
use super::{Cluster, explain};
use crate::exit::{Error, Result};
use crate::wait::seen;

/// Where connections go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// This pod.
    Pod(String),
    /// Any ready pod that these labels select.
    Selected(String),
}

/// A port of this machine, taken; where it leads is said later.
#[derive(Debug)]
pub struct LocalPort(TcpListener);

impl LocalPort {
    /// Takes `port` of the loopback address; 0 is any free one.
    ///
    /// # Errors
    /// Exit code 3: it is in use, or may not be taken.
    pub async fn take(port: u16) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address).await.map(Self).map_err(|error| {
            let next = match port {
                0 => "free some ports, or give Locust's address with --locust-url".to_owned(),
                _ => format!("end what uses it (ss -ltnp 'sport = :{port}'), or choose another port"),
            };
            Error::preflight(format!("port {port} of this machine cannot be taken: {error}")).next(next)
        })
    }
}

/// A local port, forwarded until this is dropped.
#[derive(Debug)]
pub struct Forward {
    /// Address of the local end, such as `http://127.0.0.1:40001`.
    pub url: String,
    accepting: JoinHandle<()>,
}

impl Forward {
    /// Opens a free local port that leads to `port` of the destination.
    ///
    /// # Errors
    /// Exit code 3: no local port can be opened.
    pub async fn open(cluster: &Cluster, destination: Destination, port: u16) -> Result<Self> {
        Self::from(LocalPort::take(0).await?, cluster, destination, port)
    }

    /// Leads a port that was taken before to `port` of the destination.
    ///
    /// # Errors
    /// Exit code 3: the system does not say which port it is.
    pub fn from(
        LocalPort(listener): LocalPort,
        cluster: &Cluster,
        destination: Destination,
        port: u16,
    ) -> Result<Self> {
        let address = listener
            .local_addr()
            .map_err(|error| Error::preflight(format!("a port of this machine was lost: {error}")))?;
        let cluster = cluster.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (cluster, destination) = (cluster.clone(), destination.clone());
                tokio::spawn(async move {
                    // The client sees a closed connection and asks again; the reason is for debugging.
                    if let Err(error) = carry(&cluster, &destination, port, connection).await {
                        tracing::debug!("{error}");
                    }
                });
            }
        });
        Ok(Self { url: format!("http://{address}"), accepting })
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(cluster: &Cluster, destination: &Destination, port: u16, mut local: TcpStream) -> Result<()> {
    let pod = match destination {
        Destination::Pod(name) => name.clone(),
        Destination::Selected(selector) => ready_pod(cluster, selector).await?,
    };
    let what = format!("port {port} of pod {}/{pod}", cluster.namespace);
    let mut forwarder =
        cluster.api::<Pod>().portforward(&pod, &[port]).await.map_err(|error| explain(&what, &error))?;
    let mut remote =
        forwarder.take_stream(port).ok_or_else(|| Error::cluster(format!("{what}: no stream")))?;
    let carried = copy_bidirectional(&mut local, &mut remote).await;
    carried.map(drop).map_err(|error| Error::cluster(format!("{what}: {}", seen(&error))))
}

async fn ready_pod(cluster: &Cluster, selector: &str) -> Result<String> {
    let pods = cluster.api::<Pod>().list(&ListParams::default().labels(selector)).await;
    let pods = pods.map_err(|error| explain(&format!("pods {selector}"), &error))?;
    let ready = |pod: &Pod| is_ready(pod) && pod.metadata.deletion_timestamp.is_none();
    let found = pods.items.into_iter().find(ready);
    found
        .and_then(|pod| pod.metadata.name)
        .ok_or_else(|| Error::cluster(format!("no pod of {selector} is ready in {}", cluster.namespace)))
}
