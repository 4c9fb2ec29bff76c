//! Requests to stop: Ctrl-C, SIGTERM, SIGHUP, or the failure of a task that runs at the same time.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::failure::Failure;

/// When and how a running command is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopPolicy {
    /// At the first request: SIGTERM, and SIGKILL five seconds later.
    AtOnce,
    /// At the first request: SIGINT, and then this much time to end by itself.
    AllowTime(Duration),
    /// Not at the first Ctrl-C, but at the second.
    OnSecondSignal,
    /// Never, because a half-finished deletion would leave things behind.
    Never,
}

impl StopPolicy {
    fn must_stop(self, state: State) -> bool {
        match self {
            Self::AtOnce | Self::AllowTime(_) => state.cancelled || state.signals >= 1,
            Self::OnSecondSignal => state.signals >= 2,
            Self::Never => false,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Number of signals received.
    signals: u32,
    /// Whether a task has failed that runs at the same time.
    cancelled: bool,
}

/// The requests to stop so far, shared by everything that runs.
#[derive(Debug, Default)]
pub(crate) struct StopRequests(watch::Sender<State>);

impl StopRequests {
    /// Counts signals from now on. Without this, the first one would end the program.
    pub(crate) fn listen(self: &std::sync::Arc<Self>) -> Result<(), Failure> {
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut stream =
                signal(kind).map_err(|error| Failure::bug(format!("signals: cannot listen: {error}")))?;
            let stop = std::sync::Arc::clone(self);
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    stop.0.send_modify(|state| state.signals += 1);
                }
            });
        }
        Ok(())
    }

    /// Stops all tasks that run at the same time, because one of them has failed.
    pub(crate) fn cancel(&self) {
        self.0.send_modify(|state| state.cancelled = true);
    }

    /// How often the user has asked to stop.
    pub(crate) fn signal_count(&self) -> u32 {
        self.0.borrow().signals
    }

    /// Whether a command with this policy has to stop.
    pub(crate) fn is_due(&self, policy: StopPolicy) -> bool {
        policy.must_stop(*self.0.borrow())
    }

    /// Resolves as soon as a command with this policy has to stop.
    pub(crate) async fn due(&self, policy: StopPolicy) {
        let mut receiver = self.0.subscribe();
        if receiver.wait_for(|state| policy.must_stop(*state)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when this many signals have arrived since the program started.
    pub(crate) async fn nth_signal(&self, count: u32) {
        let mut receiver = self.0.subscribe();
        if receiver.wait_for(|state| state.signals >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The failure of a task that was stopped.
    pub(crate) fn failure(&self) -> Failure {
        if self.signal_count() > 0 { Failure::interrupted() } else { Failure::cancelled() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ctrl_c_stops_work_the_second_stops_fetching_and_none_stops_deletion() {
        let once = State { signals: 1, cancelled: false };
        let twice = State { signals: 2, ..once };
        assert!(StopPolicy::AtOnce.must_stop(once));
        assert!(StopPolicy::AllowTime(Duration::ZERO).must_stop(once));
        assert!(!StopPolicy::OnSecondSignal.must_stop(once));
        assert!(StopPolicy::OnSecondSignal.must_stop(twice));
        assert!(!StopPolicy::Never.must_stop(twice));
    }

    #[test]
    fn a_failed_task_stops_other_work_but_not_the_cleanup() {
        let cancelled = State { signals: 0, cancelled: true };
        assert!(StopPolicy::AtOnce.must_stop(cancelled));
        assert!(!StopPolicy::OnSecondSignal.must_stop(cancelled));
    }
}
