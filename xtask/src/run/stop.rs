//! Being asked to stop: Ctrl-C, SIGTERM, SIGHUP, or the failure of something beside.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::failure::Failure;

/// How something that runs takes a request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopPolicy {
    /// Stopped at once: SIGTERM, SIGKILL five seconds later.
    AtOnce,
    /// Told with SIGINT and given this long to come to its own end.
    AllowTime(Duration),
    /// Goes on after the first Ctrl-C, stopped by the second.
    OnSecondSignal,
    /// Not stopped: leaving it half done would leave things behind.
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
    signals: u32,
    cancelled: bool,
}

/// How often the user has asked to stop, for everyone to see.
#[derive(Debug, Default)]
pub(crate) struct StopRequests(watch::Sender<State>);

impl StopRequests {
    /// Count signals from now on, instead of dying of the first.
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

    /// Stop what runs beside, because something has failed.
    pub(crate) fn cancel(&self) {
        self.0.send_modify(|state| state.cancelled = true);
    }

    pub(crate) fn signal_count(&self) -> u32 {
        self.0.borrow().signals
    }

    pub(crate) fn is_due(&self, policy: StopPolicy) -> bool {
        policy.must_stop(*self.0.borrow())
    }

    /// Resolves when something of this policy has to stop; at once if that was earlier.
    pub(crate) async fn due(&self, policy: StopPolicy) {
        let mut receiver = self.0.subscribe();
        if receiver.wait_for(|state| policy.must_stop(*state)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves at the given signal, counted from the start of the program.
    pub(crate) async fn nth_signal(&self, count: u32) {
        let mut receiver = self.0.subscribe();
        if receiver.wait_for(|state| state.signals >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The failure of something that was stopped.
    pub(crate) fn failure(&self) -> Failure {
        if self.signal_count() > 0 { Failure::interrupted() } else { Failure::cancelled() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_ctrl_c_stops_work_but_not_the_fetch_and_never_the_deletion() {
        let once = State { signals: 1, cancelled: false };
        let twice = State { signals: 2, ..once };
        assert!(StopPolicy::AtOnce.must_stop(once));
        assert!(StopPolicy::AllowTime(Duration::ZERO).must_stop(once));
        assert!(!StopPolicy::OnSecondSignal.must_stop(once));
        assert!(StopPolicy::OnSecondSignal.must_stop(twice));
        assert!(!StopPolicy::Never.must_stop(twice));
    }

    #[test]
    fn the_failure_of_a_neighbour_does_not_stop_the_cleanup() {
        let cancelled = State { signals: 0, cancelled: true };
        assert!(StopPolicy::AtOnce.must_stop(cancelled));
        assert!(!StopPolicy::OnSecondSignal.must_stop(cancelled));
    }
}
