//! The interface between the API server and the kubelet.

use std::fmt;
use std::net::SocketAddr;

use tokio::io::AsyncRead;

/// Runs the pods. The API server asks it for facts that no object contains.
pub trait Runtime: Send + Sync {
    /// The address on this machine where a port of a pod listens. `None` if the pod is not running.
    fn address(&self, namespace: &str, pod: &str, port: u16) -> Option<SocketAddr>;

    /// The output of a container, or (`previous`) of its run before the last restart. `None` if there is no
    /// such run. `container` is the name of a container of the pod.
    fn logs(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Option<LogReader>;
}

/// The output of one container. Every line begins with its time and a space:
/// `2026-11-22T06:57:54.123456789Z text`.
pub struct LogReader {
    /// The lines that have been written until now.
    pub so_far: Box<dyn AsyncRead + Send + Unpin>,
    /// The lines after that, until the container ends. `None` if it has already ended.
    pub following: Option<Box<dyn AsyncRead + Send + Unpin>>,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader").field("follows", &self.following.is_some()).finish_non_exhaustive()
    }
}

/// A runtime without pods, for an API server without a kubelet.
#[derive(Clone, Copy, Debug)]
pub struct NoPods;

impl Runtime for NoPods {
    fn address(&self, _: &str, _: &str, _: u16) -> Option<SocketAddr> {
        None
    }

    fn logs(&self, _: &str, _: &str, _: &str, _: bool) -> Option<LogReader> {
        None
    }
}
