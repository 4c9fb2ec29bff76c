//! Reading a body that may be too long or too slow.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use tokio::time::{Instant, timeout_at};

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// Longer than the limit.
    TooLong,
    /// Not complete within the time.
    TooSlow,
    /// Not HTTP, for example a chunk without a length.
    Malformed,
    /// The connection is closed, so nobody waits for an answer.
    Gone,
}

/// Number of bytes of a too long body that are read and dropped. If the server closed the connection
/// while the client still sends, the client would see a broken connection instead of the 413.
const DISCARD: usize = 16 * 1024 * 1024;

/// Reads the whole body: at most `limit` bytes, within `time`.
pub async fn read(mut body: Body, limit: usize, time: Duration) -> Result<Vec<u8>, Unread> {
    let deadline = Instant::now() + time;
    let mut bytes = Vec::new();
    let mut total = 0_usize;
    loop {
        let too_long = total > limit;
        let frame = timeout_at(deadline, poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)));
        match frame.await {
            Err(_elapsed) if too_long => return Err(Unread::TooLong),
            Err(_elapsed) => return Err(Unread::TooSlow),
            Ok(None) if too_long => return Err(Unread::TooLong),
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(error))) => return Err(reason(&error)),
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                total = total.saturating_add(data.len());
                if total <= limit {
                    bytes.extend_from_slice(&data);
                } else if total > DISCARD.saturating_add(limit) {
                    return Err(Unread::TooLong);
                } else {
                    bytes = Vec::new();
                }
            }
        }
    }
}

/// hyper wraps the cause. A malformed body is an `io::Error` of one of two kinds.
fn reason(error: &axum::Error) -> Unread {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            return match cause.kind() {
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Unread::Malformed,
                _ => Unread::Gone,
            };
        }
        source = cause.source();
    }
    Unread::Gone
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn a_body_may_be_as_long_as_the_limit_and_not_longer() {
        let body = || Body::from(vec![7; 100]);
        assert_eq!(read(body(), 100, HOUR).await, Ok(vec![7; 100]));
        assert_eq!(read(body(), 99, HOUR).await, Err(Unread::TooLong));
        assert_eq!(read(Body::empty(), 0, HOUR).await, Ok(vec![]));
    }
}
