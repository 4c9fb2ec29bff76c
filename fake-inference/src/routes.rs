//! The endpoints.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

use crate::args::Args;
use crate::body::{self, Unread};
use crate::counts::{self, Counts, Endpoint};
use crate::disturbance::Disturbance;
use crate::lstm::{INPUTS, Lstm, OUTPUTS, STEPS};
use crate::problem::Problem;
use crate::profile::Profile;
use crate::random::Stream;
use crate::service_time::{Failures, ServiceTime};
use crate::slots::{Full, Inside, Slot, Slots};
use crate::timer::Timer;
use crate::{clock, request};

/// The state that the endpoints share.
#[derive(Debug)]
pub struct App {
    /// The server's counts.
    pub counts: Arc<Counts>,
    model: Lstm,
    run_id: String,
    slots: Slots,
    service_time: ServiceTime,
    failures: Failures,
    disturbance: Disturbance,
    /// When the process started, for the disturbance.
    since: Instant,
    /// Number of predictions whose service has begun: the n of the next draw.
    begun: AtomicU64,
    timer: Timer,
    max_body: usize,
    read_timeout: Duration,
}

impl App {
    /// The state of a server with these flags. Fails if the thread of its timer cannot be started.
    pub fn new(args: &Args) -> io::Result<Self> {
        let id = Stream::new(args.seed, 0);
        let concurrency = args.profile.map_or(args.concurrency, Profile::concurrency);
        let service_time = match args.profile {
            Some(profile) => ServiceTime::of_profile(profile, args.seed),
            None => ServiceTime::new(args.service, args.service_ms, args.service_cv, args.seed),
        };
        Ok(Self {
            counts: Arc::new(Counts::new()),
            model: Lstm::new(),
            run_id: format!("{:016x}{:016x}", id.bits(0), id.bits(1)),
            slots: Slots::new(as_usize(concurrency), as_usize(args.max_waiting)),
            service_time,
            failures: Failures::new(args.failure_rate, args.seed),
            disturbance: Disturbance {
                warm_up: args.warm_up,
                warm_up_factor: args.warm_up_factor,
                stall: args.stall_ms,
                stall_every: args.stall_every,
                slowdown: args.slowdown(),
            },
            since: Instant::now(),
            begun: AtomicU64::new(0),
            timer: Timer::start()?,
            max_body: as_usize(args.max_body),
            read_timeout: args.read_timeout,
        })
    }
}

/// The router of all endpoints; every request is counted.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/predict", post(predict))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), count))
        .with_state(app)
}

/// Marks an answer whose client has gone.
#[derive(Debug, Clone, Copy)]
struct NobodyWaits;

/// Counts every request. If the client goes away, hyper drops this future and so `in_flight`, which then
/// counts the request as aborted.
async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let endpoint = Endpoint::of(request.uri().path());
    let user_agent = request.headers().get(header::USER_AGENT).map(HeaderValue::as_bytes);
    let in_flight = app.counts.start(endpoint, user_agent);
    let response = next.run(request).await;
    if response.extensions().get::<NobodyWaits>().is_none() {
        in_flight.answered(response.status());
    }
    response
}

#[derive(Debug, Serialize)]
struct Prediction<'a> {
    predictions: [f64; OUTPUTS],
    model: &'static str,
    run_id: &'a str,
    timestamp: String,
}

async fn predict(State(app): State<Arc<App>>, body: Body) -> Result<Response, Response> {
    let bytes =
        body::read(body, app.max_body, app.read_timeout).await.map_err(|reason| unread(reason, &app))?;
    let steps = request::parse(&bytes).map_err(Problem::into_response)?;
    drop(bytes); // The request may wait for a long time and should use little memory meanwhile.

    let valid = Instant::now();
    let inside = app.slots.enter();
    let slot = app.slots.acquire().await.map_err(|Full| {
        let error = "every slot and every place in the queue is taken; try again later";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error).into_response()
    })?;
    app.counts.waited(valid.elapsed());

    // The service runs in a task of its own: once begun, it keeps its slot to its end, as a real one
    // would, even if the client goes away. A client that leaves the queue takes no service time.
    let served = tokio::spawn(serve(Arc::clone(&app), steps, slot, inside)).await;
    let predictions = match served {
        Ok(Some(predictions)) => predictions,
        Ok(None) => return Err(internal("this request was chosen to fail (--failure-rate)")),
        Err(_stopped) => return Err(internal("the service was stopped")),
    };
    let prediction = Prediction { predictions, model: "LSTM", run_id: &app.run_id, timestamp: clock::now() };
    Ok(Json(prediction).into_response())
}

/// Serves one prediction: computes it and holds the slot until the service time is over.
///
/// The deadline is set before the computation, so the computation is part of the service time. (It
/// takes well below a millisecond in an optimized build, so it may block its thread.)
/// `inference_service_seconds` holds the times that the services really took; see [`crate::timer`]
/// for how exact they are.
async fn serve(
    app: Arc<App>,
    steps: Box<[[f64; INPUTS]; STEPS]>,
    slot: Slot,
    inside: Inside,
) -> Option<[f64; OUTPUTS]> {
    let began = Instant::now();
    let n = app.begun.fetch_add(1, Ordering::Relaxed);
    let work = app.service_time.draw(n, app.slots.inside());
    let deadline = began + app.disturbance.stretch(began - app.since, work);
    let predictions = app.model.predict(&steps);
    app.timer.sleep_until(deadline).await;
    // The next service begins when the slot is free, and must not count this prediction any more.
    drop(inside);
    drop(slot);
    app.counts.served(began.elapsed());
    (!app.failures.hits(n)).then_some(predictions)
}

async fn healthz() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "ok"}))
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.counts.render(app.slots.inside()) {
        Ok(page) => ([(header::CONTENT_TYPE, counts::CONTENT_TYPE)], page).into_response(),
        Err(_) => internal("the metrics could not be written"),
    }
}

async fn not_found(uri: Uri) -> Problem {
    let error = format!("no such path: {}; expected POST /predict, GET /healthz or GET /metrics", uri.path());
    Problem::new(StatusCode::NOT_FOUND, error)
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let expected = if uri.path() == "/predict" { "POST" } else { "GET" };
    let error = format!("{} takes {expected}, not {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, error)
}

fn unread(reason: Unread, app: &App) -> Response {
    let (status, error) = match reason {
        Unread::TooLong => {
            let error = format!("the body is too long; expected at most {} bytes", app.max_body);
            (StatusCode::PAYLOAD_TOO_LARGE, error)
        }
        Unread::TooSlow => {
            let time = app.read_timeout.as_secs_f64();
            let error = format!("the body did not arrive; expected all of it within {time} s");
            (StatusCode::REQUEST_TIMEOUT, error)
        }
        Unread::Malformed | Unread::Gone => {
            let error = "the body is not valid HTTP; expected a length or chunks";
            (StatusCode::BAD_REQUEST, error.to_owned())
        }
    };
    let mut response = Problem::new(status, error).at("body").into_response();
    if reason == Unread::Gone {
        response.extensions_mut().insert(NobodyWaits);
    }
    response
}

fn internal(error: &str) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error).into_response()
}

/// Converts without loss on machines with at least 32 bits.
fn as_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
