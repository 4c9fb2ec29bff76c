//! Waiting with a deadline that says what was last seen.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// A deadline passed; `last_seen` is the state at that time, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not within {} s; last seen: {last_seen}", .after.as_secs_f64().round())]
pub struct TimedOut {
    /// How long was waited.
    pub after: Duration,
    /// What the last look showed.
    pub last_seen: String,
}

/// One look at something that is awaited.
#[derive(Debug)]
pub enum Look<T> {
    /// It is there.
    Done(T),
    /// It is not there yet; the words say what was seen instead.
    NotYet(String),
}

/// Looks every `every` until `look` is done or `limit` has passed. A look that hangs is cut at the
/// deadline, too.
///
/// # Errors
/// [`TimedOut`] with what the last finished look saw.
pub async fn poll<T, F, Fut>(limit: Duration, every: Duration, mut look: F) -> Result<T, TimedOut>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Look<T>>,
{
    let deadline = Instant::now() + limit;
    let mut last_seen = "nothing".to_owned();
    loop {
        match timeout_at(deadline, look()).await {
            Ok(Look::Done(value)) => return Ok(value),
            Ok(Look::NotYet(seen)) => last_seen = seen,
            Err(_) => {
                return Err(TimedOut { after: limit, last_seen });
            }
        }
        if timeout_at(deadline, sleep(every)).await.is_err() {
            return Err(TimedOut { after: limit, last_seen });
        }
    }
}

/// The last line of an error and its causes, for a "last seen".
pub fn seen(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    words
}

/// Seconds with one decimal, for people.
pub fn seconds(duration: Duration) -> impl Display {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_says_what_was_last_seen() {
        let looks = Cell::new(0);
        let result: Result<(), _> = poll(Duration::from_secs(3), Duration::from_secs(1), || {
            looks.set(looks.get() + 1);
            let seen = format!("look {}", looks.get());
            async move { Look::NotYet(seen) }
        })
        .await;
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), format!("not within 3 s; last seen: look {}", looks.get()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_is_cut() {
        let result: Result<(), _> =
            poll(Duration::from_secs(3), Duration::from_secs(1), std::future::pending::<Look<()>>).await;
        assert_eq!(result.unwrap_err().last_seen, "nothing");
    }
}
