//! Sockets and connections.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::certificate::Certificate;
use super::handle::router;
use super::{Api, Identity};

/// More clients than this wait in the kernel's queue.
const CONNECTIONS: usize = 4096;
/// Newcomers that the kernel keeps.
const BACKLOG: u32 = 1024;
/// What the kernel keeps for a client that does not read, bytes. By itself it would let it grow to
/// megabytes, for each of thousands of watches.
const SEND_BUFFER: u32 = 128 * 1024;
/// How long a client may take over its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take over the headers of a request, and how long a connection may be idle. Longer
/// than clients keep idle connections (90 s), so that it is not cut when one is about to be used again.
const HEADERS: Duration = Duration::from_mins(2);
/// How long requests in flight may take at the end; watches are cut.
const GRACE: Duration = Duration::from_millis(200);

/// A server that listens and does not answer yet.
pub struct Server {
    listener: TcpListener,
    certificate: Certificate,
    api: Arc<Api>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens. Refuses an address that other machines can reach: whoever has the token runs programs here.
    pub async fn bind(address: SocketAddr, api: Api) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let message = format!("{address} is no loopback address");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        raise_file_limit();
        // Making keys takes a while, and others may be at work already.
        let certificate = tokio::task::spawn_blocking(move || Certificate::new(&[address.ip()]));
        let certificate = certificate.await?.map_err(io::Error::other)?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        // The connections have it from the socket that listens.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        Ok(Self { listener: socket.listen(BACKLOG)?, certificate, api: Arc::new(api) })
    }

    /// The address that it really listens on.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The certificate, PEM, by which clients know that it is this server.
    pub fn authority(&self) -> &str {
        &self.certificate.authority
    }

    /// A kubeconfig for the owner of the cluster, or for a pod under a ServiceAccount. It holds a token:
    /// write it for its reader only.
    pub fn kubeconfig(&self, identity: &Identity) -> io::Result<String> {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;

        let (namespace, token) = match identity {
            Identity::Admin => ("default", self.api.tokens.admin().to_owned()),
            Identity::ServiceAccount { namespace, name } => {
                let token = self.api.tokens.service_account(namespace, name).map_err(io::Error::other)?;
                (namespace.as_str(), token)
            }
        };
        let name = "locust-matrix-embedded";
        let cluster = json!({
            "server": format!("https://{}", self.address()?),
            "certificate-authority-data": STANDARD.encode(self.authority()),
        });
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": name, "cluster": cluster }],
            "users": [{ "name": name, "user": { "token": token } }],
            "contexts": [{ "name": name, "context": { "cluster": name, "user": name, "namespace": namespace } }],
            "current-context": name,
        });
        // JSON is YAML.
        Ok(format!("{config:#}\n"))
    }

    /// Answers until `stop` is over.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let tls = TlsAcceptor::from(Arc::clone(&self.certificate.config));
        let router = router(self.api);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let (stopping, stopped) = watch::channel(false);
        let mut stop = pin!(stop);
        loop {
            // No place, no accept: then the kernel's queue holds the newcomers.
            let place = tokio::select! {
                biased;
                () = &mut stop => break,
                Ok(place) = Arc::clone(&places).acquire_owned() => place,
            };
            let stream = tokio::select! {
                biased;
                () = &mut stop => break,
                stream = accept(&self.listener) => stream,
            };
            let (tls, router, stopped) = (tls.clone(), router.clone(), stopped.clone());
            tokio::spawn(async move {
                connection(stream, tls, router, stopped).await;
                drop(place);
            });
        }
        drop(self.listener);
        stopping.send_replace(true);
    }
}

/// As many open files as the system lets this process have: each client is one, and the usual limit is
/// 1,024. Without it the clients beyond wait.
fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};

        let mut limit = getrlimit(Resource::Nofile);
        // Some systems name a maximum that they do not grant.
        limit.current =
            limit.maximum.map_or(Some(65_536), |maximum| Some(maximum.min(65_536))).max(limit.current);
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Out of file descriptors, or the client has gone already. Nothing tells when a descriptor is
            // free again, so try again, and not in a hot loop.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, router: Router, mut stopped: watch::Receiver<bool>) {
    // An event must not wait for the ACK of the one before. (If this fails, the connection is broken, and
    // hyper finds out.)
    let _ = stream.set_nodelay(true);
    // An error here and below is the client's: it left, or it does not speak TLS or HTTP.
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else { return };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(GRACE, connection).await;
}
