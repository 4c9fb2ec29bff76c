//! Shows the log of the driver's container, each line once, although the connection may be lost.

use std::time::Duration;

use futures::{AsyncBufRead, AsyncBufReadExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use tokio::time::{Instant, sleep, timeout};

use super::pods::{DRIVER, has_ended, is_lost};
use crate::cluster::{Cluster, explain};
use crate::events::{Events, Progress};

/// How long the API server may be silent before this gives up.
const API_ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// After this many failed tries to read a log, the user is told why.
const TOLD_AFTER: u32 = 3;
/// How long to wait before a log that could not be read is asked for again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// Passes the log of a pod's driver line by line to `log` until its container has ended. A lost connection is
/// reopened after the last line. `events` gets a note if the log cannot be read. If the API server does not answer, or the
/// pod's node is lost, this returns before the container has ended.
pub(super) async fn show_log(cluster: &Cluster, pod: &str, events: &Events, log: &(dyn Fn(&str) + Sync)) {
    let pods = cluster.api::<Pod>();
    let mut position = Position::default();
    let mut last_answer = Instant::now();
    let mut unread = 0;
    loop {
        let since_time = position.reopen();
        let container = Some(DRIVER.to_owned());
        let params =
            LogParams { container, follow: true, timestamps: true, since_time, ..LogParams::default() };
        let rest = match pods.log_stream(pod, &params).await {
            Ok(stream) => {
                unread = 0;
                show_lines(stream, &mut position, log).await
            }
            Err(error) => {
                unread += 1;
                if unread == TOLD_AFTER {
                    let why = explain(&format!("read the log of pod {pod}"), &error).message;
                    events
                        .tell(Progress::note(format!("{why}; the run goes on, and the log is tried again")));
                }
                sleep(ASK_AGAIN_AFTER).await;
                None
            }
        };
        match timeout(API_ANSWERS_WITHIN, pods.get_opt(pod)).await {
            Ok(Ok(Some(found))) if is_lost(&found) => return,
            Ok(Ok(Some(pod))) if !has_ended(&pod) => {
                last_answer = Instant::now();
                sleep(Duration::from_millis(200)).await;
            }
            Ok(Ok(_)) => {
                // The container has ended, so this line will not become longer.
                if let Some(line) = rest {
                    position.show(&line, log);
                }
                return;
            }
            Ok(Err(_)) | Err(_) if last_answer.elapsed() > API_ANSWERS_WITHIN => return,
            Ok(Err(_)) | Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Shows all complete lines of a log. Returns what follows the last of them: a line that was cut off.
async fn show_lines(
    mut stream: impl AsyncBufRead + Unpin,
    position: &mut Position,
    log: &(dyn Fn(&str) + Sync),
) -> Option<String> {
    let mut line = Vec::new();
    loop {
        let read = stream.read_until(b'\n', &mut line).await;
        let is_complete = line.last() == Some(&b'\n');
        if is_complete {
            position.show(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']), log);
            line.clear();
        }
        if !is_complete || !matches!(read, Ok(bytes) if bytes > 0) {
            return (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned());
        }
    }
}

/// How far a log has been shown. Several lines may have the same time stamp.
#[derive(Debug, Default)]
struct Position {
    /// The latest time stamp that was shown.
    last: Option<Timestamp>,
    /// Lines that were shown with that time stamp.
    shown: usize,
    /// Lines with that time stamp since the log was reopened; `None` once all lines are new.
    repeated: Option<usize>,
}

impl Position {
    /// Prepares for a log that is opened again. Returns the time from which it should be read.
    fn reopen(&mut self) -> Option<Timestamp> {
        self.repeated = self.last.map(|_| 0);
        // A second earlier, because servers round this time differently. What was shown is left out here.
        self.last.map(|last| last - jiff::SignedDuration::from_secs(1))
    }

    /// Shows a line of the log if it is new. The line begins with its time stamp.
    fn show(&mut self, line: &str, log: &(dyn Fn(&str) + Sync)) {
        let (stamp, text) = line.split_once(' ').unwrap_or((line, ""));
        match stamp.parse() {
            Ok(stamp) if self.is_new(stamp) => log(text),
            Ok(_) => {}
            // Not a line of the container, but a remark of the server.
            Err(_) => log(line),
        }
    }

    fn is_new(&mut self, stamp: Timestamp) -> bool {
        if let (Some(repeated), Some(last)) = (&mut self.repeated, self.last) {
            if stamp == last {
                *repeated += 1;
            }
            if stamp < last || (stamp == last && *repeated <= self.shown) {
                return false;
            }
            self.repeated = None;
        }
        // Output and errors are written side by side, so that a stamp may be earlier than the one before.
        match self.last {
            Some(last) if stamp < last => {}
            Some(last) if stamp == last => self.shown += 1,
            _ => (self.last, self.shown) = (Some(stamp), 1),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Opens the log once for each text; returns the lines that were shown, and the rest of the last text.
    async fn shown(logs: &[&str]) -> (Vec<String>, Option<String>) {
        let lines = Mutex::new(Vec::new());
        let log = |line: &str| lines.lock().unwrap().push(line.to_owned());
        let mut position = Position::default();
        let mut rest = None;
        for text in logs {
            position.reopen();
            rest = show_lines(text.as_bytes(), &mut position, &log).await;
        }
        (lines.into_inner().unwrap(), rest)
    }

    const FIRST: &str = "2026-01-01T00:00:01Z a\n2026-01-01T00:00:02Z b\n2026-01-01T00:00:02Z c\n";

    #[tokio::test]
    async fn lines_with_equal_time_stamps_are_all_shown() {
        assert_eq!(shown(&[FIRST]).await.0, ["a", "b", "c"]);
        let out_of_order = "2026-01-01T00:00:02Z b\n2026-01-01T00:00:01Z a\n2026-01-01T00:00:02Z c\n";
        assert_eq!(shown(&[out_of_order]).await.0, ["b", "a", "c"]);
    }

    #[tokio::test]
    async fn a_log_that_is_opened_again_shows_only_what_is_new() {
        let more = format!("{FIRST}2026-01-01T00:00:02Z d\n2026-01-01T00:00:03Z e\n");
        assert_eq!(shown(&[FIRST, &more]).await.0, ["a", "b", "c", "d", "e"]);
        // The server leaves out what is older than the last second.
        let later = "2026-01-01T00:00:02Z b\n2026-01-01T00:00:02Z c\n2026-01-01T00:00:02Z d\n";
        assert_eq!(shown(&[FIRST, later]).await.0, ["a", "b", "c", "d"]);
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_is_shown_once_and_whole() {
        let cut = format!("{FIRST}2026-01-01T00:00:03Z half a li");
        let (lines, rest) = shown(&[&cut]).await;
        assert_eq!(lines, ["a", "b", "c"]);
        assert_eq!(rest.as_deref(), Some("2026-01-01T00:00:03Z half a li"));
        let whole = format!("{FIRST}2026-01-01T00:00:03Z half a line\n");
        assert_eq!(shown(&[&cut, &whole]).await.0, ["a", "b", "c", "half a line"]);
    }

    #[tokio::test]
    async fn a_line_without_a_time_stamp_is_shown_as_it_is() {
        let remark = "unable to retrieve container logs for containerd://1\n";
        assert_eq!(shown(&[remark]).await.0, [remark.trim_end()]);
    }
}
