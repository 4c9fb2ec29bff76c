//! SIGINT and SIGTERM as a cancellation token. A second Ctrl-C ends the program at once.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};

/// A terminal and a parent process may both pass on the same Ctrl-C. Only a later one is a second one.
const SECOND_AFTER: Duration = Duration::from_millis(500);

/// What a second Ctrl-C leaves behind if the program drives the matrix itself.
pub(super) const RUN_LEFT: &str = "ended at once: the load stops by itself within a minute, and the replicas stay as they \
     are; the records are kept, and --resume continues from them";
/// What a second Ctrl-C leaves behind if a Job drives the matrix.
pub(super) const JOB_LEFT: &str = "ended at once: the Job may not be suspended yet, or may still be stopping its load; see: \
     kubectl get job locust-load-test-matrix";

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Received {
    /// SIGINT, which Ctrl-C sends.
    Interrupt,
    /// SIGTERM, which a supervisor sends, perhaps again and again.
    Terminate,
}

/// A token that is cancelled by the first SIGINT or SIGTERM, so that the load is stopped. A second SIGINT tells
/// the user what is `left`, and ends the program with exit code 130.
pub(super) fn interrupted(events: &Events, left: &'static str) -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let events = events.clone();
    tokio::spawn(async move {
        let Some(signals) = signals() else { return };
        if second_interrupt(signals, &cancelled).await {
            events.tell(Progress::note(left));
            std::process::exit(ExitCode::Interrupted as i32);
        }
    });
    token
}

/// The result of a command that may end anywhere. The first SIGINT or SIGTERM ends it, and whatever it has started.
///
/// # Errors
/// Those of the command; or exit code 130, because of the signal.
pub async fn or_interrupted<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(signals) = signals() else { return command.await };
    let mut signals = pin!(signals);
    tokio::select! {
        ended = command => ended,
        Some(_) = signals.next() => Err(Error::interrupted("interrupted")),
    }
}

/// The result of work that may end anywhere, if the token is not cancelled before.
///
/// # Errors
/// Those of the work; or exit code 130, because the token was cancelled.
pub(super) async fn unless_interrupted<T>(
    interrupted: &CancellationToken,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        ended = work => ended,
        () = interrupted.cancelled() => Err(Error::interrupted("interrupted before the first scenario")),
    }
}

/// Cancels `first` at the first signal. Returns true at the second Ctrl-C, or false if no signal can come any more.
async fn second_interrupt(signals: impl Stream<Item = Received>, first: &CancellationToken) -> bool {
    let mut signals = pin!(signals);
    if signals.next().await.is_none() {
        return false;
    }
    first.cancel();
    let at = Instant::now();
    while let Some(received) = signals.next().await {
        if received == Received::Interrupt && at.elapsed() >= SECOND_AFTER {
            return true;
        }
    }
    false
}

#[cfg(unix)]
fn signals() -> Option<impl Stream<Item = Received>> {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = signal(SignalKind::interrupt()).ok()?;
    let terminate = signal(SignalKind::terminate()).ok()?;
    Some(stream::unfold((interrupt, terminate), |(mut interrupt, mut terminate)| async move {
        let received = tokio::select! {
            _ = interrupt.recv() => Received::Interrupt,
            _ = terminate.recv() => Received::Terminate,
        };
        Some((received, (interrupt, terminate)))
    }))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "on other systems this can fail")]
fn signals() -> Option<impl Stream<Item = Received>> {
    Some(stream::unfold((), |()| async {
        tokio::signal::ctrl_c().await.ok().map(|()| (Received::Interrupt, ()))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::unbounded_channel;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_cancels_and_only_a_later_ctrl_c_ends_at_once() {
        let (send, mut receive) = unbounded_channel();
        let token = CancellationToken::new();
        let first = token.clone();
        let signals = stream::poll_fn(move |context| receive.poll_recv(context));
        let second = tokio::spawn(async move { second_interrupt(signals, &first).await });
        let settle = || sleep(Duration::from_millis(100));
        settle().await;
        assert!(!token.is_cancelled());
        send.send(Received::Interrupt).unwrap();
        settle().await;
        assert!(token.is_cancelled());
        // The same Ctrl-C once more, and a supervisor that insists.
        send.send(Received::Interrupt).unwrap();
        sleep(Duration::from_secs(1)).await;
        send.send(Received::Terminate).unwrap();
        settle().await;
        assert!(!second.is_finished());
        send.send(Received::Interrupt).unwrap();
        settle().await;
        assert!(second.is_finished() && second.await.unwrap());
    }
}
