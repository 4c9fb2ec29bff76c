//! Calls to the API server that fail for a moment are tried again, if a second call does no harm.
//!
//! Kubernetes' own clients do the same for 429 with `Retry-After`; connection errors and 5xx are left to their
//! callers. Here all callers would do the same, so it is done once.

use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use kube::client::Body;
use tokio::time::{Instant, Sleep, sleep};
use tower::BoxError;
use tower::retry::Policy;
use tower::retry::backoff::{
    Backoff, ExponentialBackoff, ExponentialBackoffMaker, InvalidBackoff, MakeBackoff,
};
use tower::util::rng::HasherRng;

use super::credentials::copy;

/// A call is not tried again when it has lasted this long.
const PATIENCE: Duration = Duration::from_secs(15);
/// The first pause, and the longest. Each pause is longer than the one before, and partly random, so that many
/// clients do not come back at the same moment.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3)];

/// Tries a call again after a connection error, 429 or 5xx, within 15 s. Only reads, patches, replacements and
/// deletions: to create an object twice could make two.
#[derive(Clone)]
pub(super) struct RetryIdempotent {
    backoff: ExponentialBackoff,
    /// When the first call of this request was answered; the policy is cloned for each request.
    since: Option<Instant>,
}

impl RetryIdempotent {
    pub(super) fn new() -> Result<Self, InvalidBackoff> {
        let [first, longest] = PAUSES;
        let backoff = ExponentialBackoffMaker::new(first, longest, 1.0, HasherRng::new())?.make_backoff();
        Ok(Self { backoff, since: None })
    }
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for RetryIdempotent {
    type Future = Sleep;

    fn retry(
        &mut self,
        _request: &mut Request<Body>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Sleep> {
        let asked_to_wait = match result {
            Err(_) => None,
            Ok(response) if is_passing(response.status()) => wait_asked_for(response),
            Ok(_) => return None,
        };
        let pause = asked_to_wait.map_or_else(|| self.backoff.next_backoff(), sleep);
        let since = *self.since.get_or_insert_with(Instant::now);
        (pause.deadline() < since + PATIENCE).then_some(pause)
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        // A forwarded port is an upgraded connection, which the forwarding opens again by itself.
        if !is_idempotent(request.method()) || request.headers().contains_key(header::UPGRADE) {
            return None;
        }
        copy(request)
    }
}

fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::PUT | Method::PATCH | Method::DELETE)
}

/// Whether the server may answer otherwise in a moment.
fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

fn wait_asked_for<B>(response: &Response<B>) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    // A longer wait would be past our patience, and could be too long for the clock.
    Some(Duration::from_secs(seconds).min(PATIENCE))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tower::retry::RetryLayer;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::*;

    /// Calls a server that gives these answers, one after the other and the last for ever; `Err` is a lost
    /// connection. Returns the last status, the number of calls, and how long it took.
    async fn call(method: Method, answers: &[Result<u16, ()>]) -> (Result<u16, String>, usize, Duration) {
        let calls = Arc::new(Mutex::new(0));
        let counter = calls.clone();
        let answers = answers.to_vec();
        let server = service_fn(move |_: Request<Body>| {
            let mut calls = counter.lock().unwrap();
            let answer = answers[(*calls).min(answers.len() - 1)];
            *calls += 1;
            async move {
                let status = answer.map_err(|()| BoxError::from("connection reset"))?;
                Ok::<_, BoxError>(Response::builder().status(status).body(()).unwrap())
            }
        });
        let policy = RetryIdempotent::new().unwrap();
        let service = ServiceBuilder::new().layer(RetryLayer::new(policy)).service(server);
        let started = Instant::now();
        let request = Request::builder().method(method).body(Body::from(b"{}".to_vec())).unwrap();
        let answer = service.oneshot(request).await;
        let status = answer.map(|response| response.status().as_u16()).map_err(|error| error.to_string());
        (status, *calls.lock().unwrap(), started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_survives_lost_connections_and_a_busy_server() {
        for first in [Err(()), Ok(429), Ok(500), Ok(502), Ok(503), Ok(504)] {
            let (status, calls, took) = call(Method::PATCH, &[first, first, Ok(200)]).await;
            assert_eq!((status, calls), (Ok(200), 3), "{first:?}");
            assert!(took < Duration::from_secs(2), "{first:?}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_second_call_changes_is_answered_at_once() {
        for status in [200, 201, 400, 403, 404, 409, 422, 501] {
            assert_eq!(call(Method::GET, &[Ok(status)]).await, (Ok(status), 1, Duration::ZERO));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_never_created_twice() {
        let (status, calls, _) = call(Method::POST, &[Err(()), Ok(201)]).await;
        assert_eq!((status, calls), (Err("connection reset".into()), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_away_is_not_waited_for_without_end() {
        let (status, calls, took) = call(Method::DELETE, &[Err(())]).await;
        assert_eq!(status, Err("connection reset".into()));
        assert!(calls > 4 && took > PATIENCE / 2 && took < PATIENCE, "{calls} calls in {took:?}");
    }
}
