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
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let closed = |error: std::io::Error| {
            Error::preflight(format!("no local port for the way into the cluster: {error}"))
                .next("free some ports, or give Locust's address with --locust-url")
        };
        let listener = TcpListener::bind(local).await.map_err(closed)?;
        let address = listener.local_addr().map_err(closed)?;
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
