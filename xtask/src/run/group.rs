//! A child and everything it started, as one process group.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::stop::{StopPolicy, StopRequests};

/// How long a program has between SIGTERM and SIGKILL.
const SIGKILL_AFTER: Duration = Duration::from_secs(5);

/// Why a command came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It exited by itself.
    Exited,
    Stopped,
    TimedOut,
}

/// Wait for a child that leads its own process group. When it has to stop, nothing of the
/// group is left when this returns: whoever cleans up afterwards must not be overtaken.
pub(crate) async fn wait_or_stop(
    child: &mut Child,
    stop: &StopRequests,
    policy: StopPolicy,
    deadline: Option<Duration>,
) -> std::io::Result<(ExitStatus, End)> {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let signals_before = stop.signal_count();
    let end = tokio::select! {
        status = child.wait() => return Ok((status?, End::Exited)),
        () = stop.due(policy) => End::Stopped,
        () = deadline_reached(deadline) => End::TimedOut,
    };
    let (signal, grace) = match (policy, end) {
        (StopPolicy::AllowTime(grace), End::Stopped) => (Signal::INT, grace),
        _ => (Signal::TERM, SIGKILL_AFTER),
    };
    send(group, signal);
    let by = Instant::now() + grace;
    tokio::select! {
        () = wait_until_gone(child, group) => {}
        () = tokio::time::sleep_until(by) => {}
        // The user has asked again: no more policy.
        () = stop.nth_signal(signals_before.max(1) + 1), if signal == Signal::INT => {}
    }
    if signal == Signal::INT && is_alive(group) {
        send(group, Signal::TERM);
        let _ = timeout(SIGKILL_AFTER, wait_until_gone(child, group)).await;
    }
    if is_alive(group) {
        send(group, Signal::KILL);
    }
    Ok((child.wait().await?, end))
}

async fn deadline_reached(deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => sleep(deadline).await,
        None => std::future::pending().await,
    }
}

async fn wait_until_gone(child: &mut Child, group: Option<Pid>) {
    let _ = child.wait().await;
    // There is no event for the end of a whole group.
    while is_alive(group) {
        sleep(Duration::from_millis(50)).await;
    }
}

fn send(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // It may have ended by itself meanwhile.
        let _ = kill_process_group(group, signal);
    }
}

fn is_alive(group: Option<Pid>) -> bool {
    group.is_some_and(|group| test_kill_process_group(group).is_ok())
}
