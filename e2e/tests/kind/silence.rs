//! A way to the API server that can fall silent: connections stay open, and nothing passes any more.
//!
//! Only the driver that uses it notices, so other stages can run beside it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Forwards TCP connections until it is silenced.
pub(crate) struct SilentProxy {
    kubeconfig: PathBuf,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    silent: AtomicBool,
    ended: AtomicBool,
}

impl SilentProxy {
    /// Starts to forward to the API server of `kubeconfig`. Writes a kubeconfig that uses the proxy into
    /// `folder`.
    pub(crate) fn start(kubeconfig: &Path, folder: &Path) -> Self {
        let text = std::fs::read_to_string(kubeconfig).unwrap();
        let (_, server) = text.split_once("server: https://").unwrap();
        let server: SocketAddr = server.lines().next().unwrap().trim().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().to_string();
        let path = folder.join("kubeconfig-of-the-proxy");
        std::fs::write(&path, text.replace(&server.to_string(), &own)).unwrap();
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || accept(&listener, server, &shared));
        Self { kubeconfig: path, state }
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// From now on, nothing passes in either direction, and new connections get no answer.
    pub(crate) fn fall_silent(&self) {
        self.state.silent.store(true, Ordering::SeqCst);
    }
}

impl Drop for SilentProxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
    }
}

impl State {
    /// Returns only when the proxy has ended, or at once if it is not silent.
    fn wait_while_silent(&self) {
        while self.silent.load(Ordering::SeqCst) && !self.ended.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn accept(listener: &TcpListener, server: SocketAddr, state: &Arc<State>) {
    for client in listener.incoming() {
        let client = client.unwrap();
        // Connections that come later wait in the backlog, as at a server that hangs.
        state.wait_while_silent();
        if state.ended.load(Ordering::SeqCst) {
            return;
        }
        let upstream = TcpStream::connect(server).unwrap();
        for (from, to) in [(&client, &upstream), (&upstream, &client)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let state = Arc::clone(state);
            std::thread::spawn(move || forward(from, to, &state));
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        state.wait_while_silent();
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // An end is news, too, and must not pass while it is silent.
    state.wait_while_silent();
    let _ = to.shutdown(std::net::Shutdown::Write);
}
