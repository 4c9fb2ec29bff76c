//! A child process and everything that it started, as one process group.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::stop::{StopPolicy, StopRequests};

/// How long a program has between SIGTERM and SIGKILL.
const SIGKILL_AFTER: Duration = Duration::from_secs(5);

/// Why a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It exited by itself.
    Exited,
    Stopped,
    TimedOut,
}

/// Waits for a child that leads its own process group. If it has to be stopped, no process of the group is
/// left when this returns, so that it cannot interfere with the cleanup that follows.
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
        // The user has asked to stop once more: do not wait any longer.
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
    // The end of a whole group can only be polled.
    while is_alive(group) {
        sleep(Duration::from_millis(50)).await;
    }
}

fn send(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // An error means that the group has ended meanwhile.
        let _ = kill_process_group(group, signal);
    }
}

fn is_alive(group: Option<Pid>) -> bool {
    group.is_some_and(|group| test_kill_process_group(group).is_ok())
}
