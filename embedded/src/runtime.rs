//! What the API server asks of whoever runs the pods.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncRead;

/// Runs the pods. The API server asks it for what is in no object.
pub trait Runtime: Send + Sync {
    /// Where a port of a pod listens on this machine, for `kubectl port-forward` and its like. `None` when
    /// the pod does not run.
    fn address(&self, namespace: &str, pod: &str, port: u16) -> Option<SocketAddr>;

    /// What a container has written, or its predecessor in the same pod. `None` when it has not been
    /// started yet. `container` is one of the pod's.
    fn logs(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Option<LogReader>;

    /// What the pod uses now. `None` when it does not run.
    fn usage(&self, namespace: &str, pod: &str) -> Option<Usage>;
}

/// The output of one container, in lines that each begin with their time and a space:
/// `2026-11-22T06:57:54.123456789Z text`.
pub struct LogReader {
    /// What has been written until now; ends.
    pub so_far: Box<dyn AsyncRead + Send + Unpin>,
    /// What comes after that, until the container ends. Nothing for one that has ended.
    pub following: Option<Box<dyn AsyncRead + Send + Unpin>>,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader").field("follows", &self.following.is_some()).finish_non_exhaustive()
    }
}

/// What a pod uses of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since its start.
    pub cpu: Duration,
    /// Memory in use, bytes.
    pub memory: u64,
}

/// A runtime with no pods, for a server on its own.
#[derive(Clone, Copy, Debug)]
pub struct NoPods;

impl Runtime for NoPods {
    fn address(&self, _: &str, _: &str, _: u16) -> Option<SocketAddr> {
        None
    }

    fn logs(&self, _: &str, _: &str, _: &str, _: bool) -> Option<LogReader> {
        None
    }

    fn usage(&self, _: &str, _: &str) -> Option<Usage> {
        None
    }
}
