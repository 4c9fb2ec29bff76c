//! The reasons for a cluster to end: a signal, or the end of the process that it was started for.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Waits for the end of the cluster.
pub(super) struct End {
    signals: Vec<Signal>,
    parent: Option<oneshot::Receiver<()>>,
}

impl End {
    /// Starts to listen for signals and, if it is given, for the end of the process `parent`.
    pub(super) fn listen(parent: Option<i32>) -> Result<Self, String> {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let signals: Result<Vec<_>, _> = kinds.into_iter().map(signal).collect();
        let signals = signals.map_err(|error| format!("cannot listen for signals: {error}"))?;
        Ok(Self { signals, parent: parent.map(watch_process).transpose()? })
    }

    /// Waits until the cluster has to end.
    pub(super) async fn reached(mut self) {
        let [terminate, interrupt, hangup] = self.signals.as_mut_slice() else { return };
        let parent = async {
            match self.parent.take() {
                Some(parent) => drop(parent.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            () = parent => {}
        }
    }
}

/// A message that arrives when the process ends.
fn watch_process(id: i32) -> Result<oneshot::Receiver<()>, String> {
    let pid = Pid::from_raw(id).ok_or_else(|| format!("--parent-pid {id}: not a process"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())
        .map_err(|error| format!("--parent-pid {id}: {}", std::io::Error::from(error)))?;
    let (sender, receiver) = oneshot::channel();
    // The descriptor becomes readable when the process ends. This thread ends with the program at the latest.
    std::thread::spawn(move || {
        let mut interest = [PollFd::new(&pidfd, PollFlags::IN)];
        while poll(&mut interest, None) == Err(rustix::io::Errno::INTR) {}
        let _ = sender.send(());
    });
    Ok(receiver)
}
