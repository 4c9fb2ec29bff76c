//! One port of a service: connections in, connections out.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// An open port. Closed when dropped; connections that it has carried so far go on.
pub(super) struct Forward {
    backends: watch::Sender<Vec<SocketAddr>>,
    accepting: JoinHandle<()>,
}

impl Forward {
    /// Listens on `address` for connections to one of `backends`, of which there is at least one.
    pub(super) fn open(address: SocketAddr, backends: Vec<SocketAddr>) -> io::Result<Self> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(1024)?;
        let (backends, choice) = watch::channel(backends);
        Ok(Self { backends, accepting: tokio::spawn(accept(listener, choice)) })
    }

    pub(super) fn choose_from(&self, backends: Vec<SocketAddr>) {
        self.backends.send_replace(backends);
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, backends: watch::Receiver<Vec<SocketAddr>>) {
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            // Out of file descriptors: others have to close some first.
            tokio::task::yield_now().await;
            continue;
        };
        let backend = choose(&backends.borrow());
        if let Some(backend) = backend {
            tokio::spawn(carry(connection, backend));
        }
    }
}

/// One of them, each as likely as the others.
fn choose(backends: &[SocketAddr]) -> Option<SocketAddr> {
    let random = getrandom::u64().unwrap_or(0);
    let at = usize::try_from(random % u64::try_from(backends.len()).ok().filter(|n| *n > 0)?).ok()?;
    backends.get(at).copied()
}

async fn carry(mut connection: TcpStream, backend: SocketAddr) {
    let Ok(mut target) = TcpStream::connect(backend).await else {
        // The pod has just gone: the client sees a reset, as it would of kube-proxy.
        let _ = connection.set_zero_linger();
        return;
    };
    // Small requests must not wait for more bytes to come.
    let _ = connection.set_nodelay(true);
    let _ = target.set_nodelay(true);
    // A connection that breaks has told both ends so.
    let _ = copy_bidirectional(&mut connection, &mut target).await;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A server that answers, once its client has said all, with what it was told in capitals.
    async fn shouting() -> SocketAddr {
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

    fn free() -> SocketAddr {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn each_side_may_close_before_the_other_has_said_all() {
        let address = free();
        let _forward = Forward::open(address, vec![shouting().await]).unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "HELLO");
    }

    #[tokio::test]
    async fn a_closed_port_refuses_and_a_dead_pod_resets() {
        let (address, dead) = (free(), free());
        let forward = Forward::open(address, vec![dead]).unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let error = stream.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        drop(forward);
        // The listener closes when its task has noticed.
        tokio::time::timeout(std::time::Duration::from_secs(2), async {
            while TcpStream::connect(address).await.is_ok() {}
        })
        .await
        .unwrap();
    }

    /// A server that sends back what it gets, at once.
    async fn echoing() -> SocketAddr {
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

    /// The median time for a small message there and back, in seconds.
    async fn round_trip(stream: &mut TcpStream) -> f64 {
        let mut times = Vec::new();
        for _ in 0..200 {
            let begun = std::time::Instant::now();
            stream.write_all(b"hello").await.unwrap();
            stream.read_exact(&mut [0; 5]).await.unwrap();
            times.push(begun.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_adds_less_than_a_third_of_a_millisecond() {
        let (server, address) = (echoing().await, free());
        let _forward = Forward::open(address, vec![server]).unwrap();
        let mut direct = TcpStream::connect(server).await.unwrap();
        let mut carried = TcpStream::connect(address).await.unwrap();
        for stream in [&direct, &carried] {
            stream.set_nodelay(true).unwrap();
        }
        // What else runs here can only add: the smallest difference is the proxy's own.
        let mut least = f64::MAX;
        for _ in 0..8 {
            least = least.min(round_trip(&mut carried).await - round_trip(&mut direct).await);
        }
        assert!(least < 0.000_3, "{:.3} ms", least * 1000.0);
    }

    #[test]
    fn every_backend_is_as_likely_as_the_others() {
        let backends: Vec<SocketAddr> =
            (1..=4).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let mut counts = BTreeMap::new();
        for _ in 0..4000 {
            *counts.entry(choose(&backends).unwrap()).or_insert(0) += 1;
        }
        // 1,000 expected of each, with a standard deviation of 27.
        assert!(counts.len() == 4 && counts.values().all(|count| (850..=1150).contains(count)), "{counts:?}");
        assert_eq!(choose(&[]), None);
    }
}
