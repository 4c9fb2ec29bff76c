//! Waiting for a condition with a deadline; the error says what was seen last.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::secrets::{hide_credentials, without_secrets};

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

/// Tells of a wait that lasts, every [`TELL_EVERY`].
pub struct Telling<'a> {
    tell: &'a Tell<'a>,
    started: Instant,
    due: Instant,
}

impl<'a> Telling<'a> {
    /// A wait that begins now.
    pub fn new(tell: &'a Tell<'a>) -> Self {
        let started = Instant::now();
        Self { tell, started, due: started + TELL_EVERY }
    }

    /// When it is time to tell.
    pub const fn due(&self) -> Instant {
        self.due
    }

    /// Tells at once, because this wait will last.
    pub fn tell_now(&mut self, seen: &str) {
        (self.tell)(self.started.elapsed(), seen);
        self.due = Instant::now() + TELL_EVERY;
    }

    /// Tells what was seen last, if it is time.
    pub fn tell_if_due(&mut self, last_seen: &str) {
        if Instant::now() >= self.due {
            (self.tell)(self.started.elapsed(), last_seen);
            self.due += TELL_EVERY;
        }
    }
}

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
    let deadline = Instant::now() + limit;
    let mut telling = Telling::new(tell);
    let mut last_seen = "nothing".to_owned();
    loop {
        let checking = check();
        tokio::pin!(checking);
        let condition = loop {
            match timeout_at(deadline.min(telling.due()), &mut checking).await {
                Ok(condition) => break condition,
                Err(_) if Instant::now() >= deadline => {
                    return Err(TimedOut { after: limit, last_seen });
                }
                // A check can take long, too.
                Err(_) => telling.tell_if_due(&last_seen),
            }
        };
        match condition {
            Condition::Met(value) => return Ok(value),
            Condition::NotMet(seen) => last_seen = seen,
        }
        telling.tell_if_due(&last_seen);
        if timeout_at(deadline, sleep(interval)).await.is_err() {
            return Err(TimedOut { after: limit, last_seen });
        }
    }
}

/// An error followed by its causes, on one line. A cause whose text is already part of the line is left out.
/// Secrets are left out, too.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let (secret_text, safe_text) = (cause.to_string(), without_secrets(cause));
        let cause_text = safe_text.as_ref().unwrap_or(&secret_text);
        if text.is_empty() {
            text.clone_from(cause_text);
        } else if !text.contains(&secret_text) {
            text = format!("{text}: {cause_text}");
        } else if safe_text.is_some() {
            text = text.replace(&secret_text, cause_text);
        }
        // The causes of an error that quotes secrets quote them, too.
        next = if safe_text.is_some() { None } else { cause.source() };
    }
    hide_credentials(&text)
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
