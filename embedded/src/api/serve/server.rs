//! The server: sockets and connections.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::certificate::Certificate;
use super::kubeconfig::Kubeconfig;
use super::router::router;
use crate::api::wire::api::Api;

/// Largest number of open connections. Further clients wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4096;
/// Length of the kernel's queue of new connections.
const BACKLOG: u32 = 1024;
/// Size of the kernel's send buffer of each connection, in bytes. By default it would grow to megabytes for a
/// client that does not read, and there may be thousands of watches.
const SEND_BUFFER: u32 = 128 * 1024;
/// Longest duration of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that a client may take to send the headers of a request, and that a connection may be idle.
/// Clients close idle connections after 90 s. The server waits longer, so that it closes none that a client
/// is about to use.
const HEADER_TIMEOUT: Duration = Duration::from_mins(2);
/// How long the server waits for running requests when it stops. Watches are cut off after that.
const STOP_TIMEOUT: Duration = Duration::from_millis(200);

/// A server that listens, but does not answer yet.
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
    /// Listens on an address. Refuses an address that other machines can reach, because every client with the
    /// token can run programs on this machine.
    pub async fn bind(address: SocketAddr, api: Api) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let message = format!("{address} is not a loopback address");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        // Creating keys takes a while, and must not block other tasks.
        let certificate = tokio::task::spawn_blocking(move || Certificate::new(&[address.ip()]));
        let certificate = certificate.await?.map_err(io::Error::other)?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit this from the listening socket.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        Ok(Self { listener: socket.listen(BACKLOG)?, certificate, api: Arc::new(api) })
    }

    /// The address on which the server listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The certificate of the authority that has signed the server's certificate, PEM.
    pub fn authority(&self) -> &str {
        &self.certificate.authority
    }

    /// Creates kubeconfigs for clients of this server.
    pub fn kubeconfig(&self) -> io::Result<Kubeconfig> {
        Ok(Kubeconfig {
            address: self.address()?.to_string(),
            authority: self.certificate.authority.clone(),
            tokens: self.api.tokens.clone(),
        })
    }

    /// Answers requests until `stop` is ready.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let tls = TlsAcceptor::from(Arc::clone(&self.certificate.config));
        let router = router(self.api);
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let (stopping, stopped) = watch::channel(false);
        let mut stop = pin!(stop);
        loop {
            // Without a free slot no connection is accepted. New ones wait in the kernel's queue.
            let slot = tokio::select! {
                biased;
                () = &mut stop => break,
                Ok(slot) = Arc::clone(&slots).acquire_owned() => slot,
            };
            let stream = tokio::select! {
                biased;
                () = &mut stop => break,
                stream = accept(&self.listener) => stream,
            };
            let (tls, router, stopped) = (tls.clone(), router.clone(), stopped.clone());
            tokio::spawn(async move {
                connection(stream, tls, router, stopped).await;
                drop(slot);
            });
        }
        drop(self.listener);
        stopping.send_replace(true);
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // No file descriptor is free, or the client has already gone. Nothing reports when a descriptor
            // becomes free, so try again after a short time.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, router: Router, mut stopped: watch::Receiver<bool>) {
    // Without this, an event would wait until the client has acknowledged the previous one. If it fails, the
    // connection is broken, and hyper notices that.
    let _ = stream.set_nodelay(true);
    // Errors here and below come from the client: it has gone, or it does not use TLS or HTTP.
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await else { return };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(STOP_TIMEOUT, connection).await;
}
