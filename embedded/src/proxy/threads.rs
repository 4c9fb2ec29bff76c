//! The threads of the load balancer.

use std::io;
use std::num::NonZero;

use tokio::runtime::{Builder, Handle, Runtime};

/// Largest number of threads.
const MAX_THREADS: usize = 4;

/// Threads that only forward connections. The API server, the controllers and the kubelet have other threads, so
/// that a list of a thousand pods does not delay the requests that a load test measures.
pub(crate) struct Threads {
    handle: Handle,
    /// `None` only while this is dropped.
    runtime: Option<Runtime>,
}

impl Threads {
    /// Starts one thread for each core, but not more than four.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.min(MAX_THREADS))
            .thread_name("load-balancer")
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Starts tasks on these threads.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Threads {
    /// Cuts off all connections without waiting for the threads, because a task may not wait for threads.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn forwarding_has_its_own_threads_and_stops_inside_a_task() {
        let threads = Threads::start().unwrap();
        let name = async { std::thread::current().name().map(str::to_owned) };
        assert_eq!(threads.handle().spawn(name).await.unwrap().as_deref(), Some("load-balancer"));
        let endless = threads.handle().spawn(std::future::pending::<()>());
        drop(threads);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
