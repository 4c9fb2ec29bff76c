//! Waiting for a condition with a deadline; the error says what was seen last.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// The deadline passed before the condition was met. It reads as the end of a sentence: "Locust does not
/// answer after 90 s; last seen: connection refused".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("after {} s; last seen: {last_seen}", .after.as_secs_f64().round())]
pub struct TimedOut {
    /// How long the wait lasted.
    pub after: Duration,
    /// What the last complete check saw, in words.
    pub last_seen: String,
}

/// The result of checking a condition once.
#[derive(Debug)]
pub enum Condition<T> {
    /// The condition holds; this is what was waited for.
    Met(T),
    /// The condition does not hold yet; the text says what was seen instead.
    NotMet(String),
}

/// How often a wait that lasts tells what it sees.
pub const TELL_EVERY: Duration = Duration::from_secs(10);

/// Hears of a wait that lasts: for how long, and what was seen last.
pub type Tell<'a> = dyn Fn(Duration, &str) + Send + Sync + 'a;

/// For waits that are too short for the user to wonder.
pub fn silent(_waited: Duration, _last_seen: &str) {}

/// Calls `check` every `interval` until its condition is met or `limit` has passed. A check that is still
/// running at the deadline is cancelled. Every [`TELL_EVERY`], `tell` hears what was seen last.
///
/// # Errors
/// [`TimedOut`] with what the last complete check saw.
pub async fn poll<T, F, Fut>(
    limit: Duration,
    interval: Duration,
    tell: &Tell<'_>,
    mut check: F,
) -> Result<T, TimedOut>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Condition<T>>,
{
    let started = Instant::now();
    let deadline = started + limit;
    let mut tell_at = started + TELL_EVERY;
    let mut last_seen = "nothing".to_owned();
    loop {
        let checking = check();
        tokio::pin!(checking);
        let condition = loop {
            match timeout_at(deadline.min(tell_at), &mut checking).await {
                Ok(condition) => break condition,
                Err(_) if Instant::now() >= deadline => {
                    return Err(TimedOut { after: limit, last_seen });
                }
                // A check can take long, too.
                Err(_) => {
                    tell(started.elapsed(), &last_seen);
                    tell_at += TELL_EVERY;
                }
            }
        };
        match condition {
            Condition::Met(value) => return Ok(value),
            Condition::NotMet(seen) => last_seen = seen,
        }
        if Instant::now() >= tell_at {
            tell(started.elapsed(), &last_seen);
            tell_at += TELL_EVERY;
        }
        if timeout_at(deadline, sleep(interval)).await.is_err() {
            return Err(TimedOut { after: limit, last_seen });
        }
    }
}

/// An error followed by its causes, on one line. A cause whose text is already part of the line is left out.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Seconds with one decimal, for people.
pub fn seconds(duration: Duration) -> impl Display {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::Mutex;

    #[tokio::test(start_paused = true)]
    async fn a_timeout_says_what_the_last_check_saw() {
        let checks = Cell::new(0);
        let result: Result<(), _> = poll(Duration::from_secs(3), Duration::from_secs(1), &silent, || {
            checks.set(checks.get() + 1);
            let seen = format!("check {}", checks.get());
            async move { Condition::NotMet(seen) }
        })
        .await;
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), format!("after 3 s; last seen: check {}", checks.get()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_is_cancelled_at_the_deadline() {
        let result: Result<(), _> = poll(
            Duration::from_secs(3),
            Duration::from_secs(1),
            &silent,
            std::future::pending::<Condition<()>>,
        )
        .await;
        assert_eq!(result.unwrap_err().last_seen, "nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_lasts_tells_every_ten_seconds_what_it_sees() {
        for check_takes in [0, 4, 25] {
            let told = Mutex::new(Vec::new());
            let tell = |waited: Duration, seen: &str| {
                told.lock().unwrap().push(format!("{} s: {seen}", waited.as_secs()));
            };
            let check = || async {
                sleep(Duration::from_secs(check_takes)).await;
                Condition::<()>::NotMet("0 of 2".into())
            };
            let _ = poll(Duration::from_secs(35), Duration::from_millis(500), &tell, check).await;
            let first = if check_takes == 25 { "nothing" } else { "0 of 2" };
            let expected = [format!("10 s: {first}"), format!("20 s: {first}"), "30 s: 0 of 2".into()];
            assert_eq!(*told.lock().unwrap(), expected, "checks of {check_takes} s");
        }
    }

    #[test]
    fn causes_follow_the_error_and_are_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("connection refused")]
        struct Refused;
        #[derive(Debug, thiserror::Error)]
        #[error("request failed")]
        struct Request(#[source] Refused);
        #[derive(Debug, thiserror::Error)]
        #[error("no answer: request failed")]
        struct Outer(#[source] Request);
        assert_eq!(with_causes(&Outer(Request(Refused))), "no answer: request failed: connection refused");
    }
}
