//! One open port of a service.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Time until the next attempt to accept a connection after the system has refused one.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// An open port. Dropping it closes the port, but not the connections that it has accepted.
pub(super) struct ServicePort {
    backends: watch::Sender<Vec<SocketAddr>>,
    accepting: JoinHandle<()>,
}

impl ServicePort {
    /// Listens on `address`, and forwards on `threads`. Each connection goes to one of `backends`, which must not
    /// be empty.
    pub(super) fn open(threads: &Handle, address: SocketAddr, backends: Vec<SocketAddr>) -> io::Result<Self> {
        // A socket belongs to the runtime in which it is created.
        let _entered = threads.enter();
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(1024)?;
        let (backends, current) = watch::channel(backends);
        Ok(Self { backends, accepting: threads.spawn(accept(listener, current)) })
    }

    /// Replaces the backends for new connections.
    pub(super) fn set_backends(&self, backends: Vec<SocketAddr>) {
        self.backends.send_replace(backends);
    }
}

impl Drop for ServicePort {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, backends: watch::Receiver<Vec<SocketAddr>>) {
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            // No file descriptor is free: other connections have to close first. Nothing reports when one does.
            sleep(RETRY_AFTER).await;
            continue;
        };
        let backend = choose(&backends.borrow());
        if let Some(backend) = backend {
            tokio::spawn(forward(connection, backend));
        }
    }
}

/// A random backend. All are equally likely.
fn choose(backends: &[SocketAddr]) -> Option<SocketAddr> {
    let random = getrandom::u64().unwrap_or(0);
    let count = u64::try_from(backends.len()).ok().filter(|count| *count > 0)?;
    backends.get(usize::try_from(random % count).ok()?).copied()
}

async fn forward(mut connection: TcpStream, backend: SocketAddr) {
    let Ok(mut target) = TcpStream::connect(backend).await else {
        // The pod has just ended. The client gets a reset, as it would with kube-proxy.
        let _ = connection.set_zero_linger();
        return;
    };
    // Without this, small requests would wait for more bytes.
    let _ = connection.set_nodelay(true);
    let _ = target.set_nodelay(true);
    // An error closes both connections, so both ends notice it.
    let _ = copy_bidirectional(&mut connection, &mut target).await;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Read as _, Write as _};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A server that reads until its client has finished, and then sends the text back in capitals.
    async fn capitalizing_server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut text = String::new();
                stream.read_to_string(&mut text).await.unwrap();
                stream.write_all(text.to_uppercase().as_bytes()).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn connections_are_forwarded_on_the_given_threads() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (backend, address) = (server.local_addr().unwrap(), free_address());
        std::thread::spawn(move || server.accept().unwrap().0.write_all(b"hello"));
        let threads = crate::proxy::Threads::start().unwrap();
        let _port = ServicePort::open(&threads.handle(), address, vec![backend]).unwrap();
        // This blocks the only thread of the test's own runtime.
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello");
    }

    fn free_address() -> SocketAddr {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn one_side_may_finish_while_the_other_still_sends() {
        let address = free_address();
        let _port =
            ServicePort::open(&Handle::current(), address, vec![capitalizing_server().await]).unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "HELLO");
    }

    #[tokio::test]
    async fn a_closed_port_refuses_and_an_ended_pod_resets() {
        let (address, dead) = (free_address(), free_address());
        let port = ServicePort::open(&Handle::current(), address, vec![dead]).unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let error = stream.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        drop(port);
        // The listener closes when its task has been cancelled.
        tokio::time::timeout(Duration::from_secs(2), async {
            while TcpStream::connect(address).await.is_ok() {}
        })
        .await
        .unwrap();
    }

    /// A server that sends every byte back at once.
    async fn echo_server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    tokio::io::copy(&mut reader, &mut writer).await
                });
            }
        });
        address
    }

    /// The median round-trip time of a small message, in seconds.
    async fn round_trip(stream: &mut TcpStream) -> f64 {
        let mut times = Vec::new();
        for _ in 0..200 {
            let started = std::time::Instant::now();
            stream.write_all(b"hello").await.unwrap();
            stream.read_exact(&mut [0; 5]).await.unwrap();
            times.push(started.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_load_balancer_adds_less_than_a_third_of_a_millisecond() {
        let (server, address) = (echo_server().await, free_address());
        let _port = ServicePort::open(&Handle::current(), address, vec![server]).unwrap();
        let mut direct = TcpStream::connect(server).await.unwrap();
        let mut forwarded = TcpStream::connect(address).await.unwrap();
        for stream in [&direct, &forwarded] {
            stream.set_nodelay(true).unwrap();
        }
        // Other programs can only add time, so the smallest difference is closest to the load balancer's own.
        let mut least = f64::MAX;
        for _ in 0..8 {
            least = least.min(round_trip(&mut forwarded).await - round_trip(&mut direct).await);
        }
        assert!(least < 0.000_3, "{:.3} ms", least * 1000.0);
    }

    #[test]
    fn every_backend_is_equally_likely() {
        let backends: Vec<SocketAddr> =
            (1..=4).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let mut counts = BTreeMap::new();
        for _ in 0..4000 {
            *counts.entry(choose(&backends).unwrap()).or_insert(0) += 1;
        }
        // Expected: 1,000 of each, with a standard deviation of 27.
        assert!(counts.len() == 4 && counts.values().all(|count| (850..=1150).contains(count)), "{counts:?}");
        assert_eq!(choose(&[]), None);
    }
}
