//! Sockets, connections and the orderly shutdown.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::args::Args;
use crate::routes::{App, router};

/// A server that listens but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    app: Arc<App>,
    idle_timeout: Duration,
    max_connections: u32,
    grace: Duration,
}

/// The end of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Number of requests that were still in flight when the grace time was over.
    pub unfinished: i64,
}

impl Server {
    /// Listens on the host and port that the flags give.
    pub async fn bind(args: &Args) -> io::Result<Self> {
        Ok(Self {
            listener: listen(&args.host, args.port).await?,
            app: Arc::new(App::new(args)?),
            idle_timeout: args.idle_timeout,
            max_connections: args.max_connections,
            grace: args.grace,
        })
    }

    /// The address on which it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests until `stop` completes. Then it accepts no more connections, closes idle ones
    /// at once, and finishes the requests in flight, including those that wait for a slot, until the
    /// grace time is over.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Ended {
        let router = router(Arc::clone(&self.app));
        let places =
            Arc::new(Semaphore::new(usize::try_from(self.max_connections).unwrap_or(Semaphore::MAX_PERMITS)));
        let (stopping, stopped) = watch::channel(false);
        let mut stop = pin!(stop);
        loop {
            // Without a free place nothing is accepted: new connections wait in the kernel's queue.
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
            let (router, stopped) = (router.clone(), stopped.clone());
            tokio::spawn(async move {
                connection(stream, router, self.idle_timeout, stopped).await;
                drop(place);
            });
        }
        drop(self.listener);
        stopping.send_replace(true);
        // All places are free when the last connection is closed.
        let all_closed = places.acquire_many(self.max_connections);
        match tokio::time::timeout(self.grace, all_closed).await {
            Ok(_) => Ended { unfinished: 0 },
            Err(_elapsed) => Ended { unfinished: self.app.counts.in_flight() },
        }
    }
}

/// Opens the port. All addresses of IPv6 (`::`) are those of IPv4, too; without IPv6 they are only those of IPv4.
async fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((host, port)).await;
    let has_no_ipv6 = |error: &io::Error| {
        error.kind() == io::ErrorKind::AddrNotAvailable
            || error.kind() == io::ErrorKind::Unsupported
            || is_no_family(error)
    };
    match listener {
        Err(error) if matches!(host, "::" | "[::]") && has_no_ipv6(&error) => {
            TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, port)).await
        }
        listener => listener,
    }
}

/// Whether the kernel does not know this kind of address. The standard library has no name for it.
fn is_no_family(error: &io::Error) -> bool {
    /// `EAFNOSUPPORT` on Linux.
    const NO_FAMILY: i32 = 97;
    error.raw_os_error() == Some(NO_FAMILY)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // There is no free file descriptor, or the client has gone already. No event tells when
            // a descriptor is free, so try again after a pause.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    idle_timeout: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small. Without this, one could wait for the ACK of the answer before. (If it fails,
    // the connection is broken, and hyper will notice.)
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    // An error here is caused by the client: it has gone, or it does not speak HTTP.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
