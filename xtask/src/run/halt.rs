//! Being asked to stop: Ctrl-C, SIGTERM, SIGHUP, or the failure of something beside.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::failure::Failure;

/// How something that runs takes a request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Stopped at once: SIGTERM, SIGKILL five seconds later.
    Stop,
    /// Told with SIGINT and given this long to come to its own end.
    Forward(Duration),
    /// Goes on after the first Ctrl-C, stopped by the second.
    Second,
    /// Not stopped: leaving it half done would leave things behind.
    Never,
}

impl Patience {
    fn exhausted(self, state: State) -> bool {
        match self {
            Self::Stop | Self::Forward(_) => state.cancelled || state.signals >= 1,
            Self::Second => state.signals >= 2,
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
pub(crate) struct Halt(watch::Sender<State>);

impl Halt {
    /// Count signals from now on, instead of dying of the first.
    pub(crate) fn listen(self: &std::sync::Arc<Self>) -> Result<(), Failure> {
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut stream =
                signal(kind).map_err(|error| Failure::bug(format!("signals: cannot listen: {error}")))?;
            let halt = std::sync::Arc::clone(self);
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    halt.0.send_modify(|state| state.signals += 1);
                }
            });
        }
        Ok(())
    }

    /// Stop what runs beside, because something has failed.
    pub(crate) fn cancel(&self) {
        self.0.send_modify(|state| state.cancelled = true);
    }

    pub(crate) fn signals(&self) -> u32 {
        self.0.borrow().signals
    }

    pub(crate) fn is_reached(&self, patience: Patience) -> bool {
        patience.exhausted(*self.0.borrow())
    }

    /// Resolves when something of this patience has to stop; at once if that was earlier.
    pub(crate) async fn reached(&self, patience: Patience) {
        let mut receiver = self.0.subscribe();
        if receiver.wait_for(|state| patience.exhausted(*state)).await.is_err() {
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
        if self.signals() > 0 { Failure::interrupted() } else { Failure::collateral() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_ctrl_c_stops_work_but_not_the_fetch_and_never_the_deletion() {
        let once = State { signals: 1, cancelled: false };
        let twice = State { signals: 2, ..once };
        assert!(Patience::Stop.exhausted(once));
        assert!(Patience::Forward(Duration::ZERO).exhausted(once));
        assert!(!Patience::Second.exhausted(once));
        assert!(Patience::Second.exhausted(twice));
        assert!(!Patience::Never.exhausted(twice));
    }

    #[test]
    fn the_failure_of_a_neighbour_does_not_stop_the_cleanup() {
        let cancelled = State { signals: 0, cancelled: true };
        assert!(Patience::Stop.exhausted(cancelled));
        assert!(!Patience::Second.exhausted(cancelled));
    }
}
