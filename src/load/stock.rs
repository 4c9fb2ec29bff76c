//! Locust's stock API, for a master whose script does not import our module.
//!
//! It has no cut. A window begins with `/stats/reset`, which forgets what the master has and not what
//! the workers have yet to send, and ends with the statistics as CSV, which do not have that either:
//! both ends are off by up to the 3 s between two reports of a worker. A stop sends no last report,
//! so the last figures are awaited until they do not change. What was before the window is lost. And a
//! worker is ready for the next test only after the master's whole `--stop-timeout`: 120 s in our
//! manifests, where a script without the module wants a shorter one.

mod table;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::snapshot::Entry;
use super::web::Web;
use super::{Cut, Exception, Failure, Load, Snapshot, State, Worker};
use crate::exit::{Error, Result};

/// Locust's `WORKER_REPORT_INTERVAL`.
const REPORT_INTERVAL: Duration = Duration::from_secs(3);
/// A stopped test whose counts did not change for this long has no more to come.
const SETTLED: Duration = Duration::from_millis(3500);
const SETTLED_AT_LAST: Duration = Duration::from_secs(20);
const CSV: &str = "/stats/requests/csv";

/// A master without the module.
#[derive(Debug)]
pub(super) struct Stock {
    version: String,
    longest: Duration,
    /// When the window was opened, s since the epoch; `None` until then.
    opened: Mutex<Option<f64>>,
}

#[derive(Deserialize)]
struct Statistics {
    state: State,
    user_count: u32,
    workers: Vec<StockWorker>,
    #[serde(default)]
    errors: Vec<Failure>,
}

#[derive(Deserialize)]
struct StockWorker {
    id: String,
    state: State,
    user_count: u32,
    cpu_usage: f64,
    memory_usage: u64,
}

#[derive(Deserialize)]
struct Exceptions {
    exceptions: Vec<StockException>,
}

#[derive(Deserialize)]
struct StockException {
    msg: String,
    count: u64,
}

impl Stock {
    /// Finds out which Locust it is.
    pub(super) async fn probe(web: &Web, longest: Duration) -> Result<Self> {
        let _: Statistics = web.get("/stats/requests").await?;
        let page = web.call(Method::GET, "/", &[]).await?.text().await.unwrap_or_default();
        let version = version(&page).unwrap_or("of an unknown version").to_owned();
        Ok(Self { version, longest, opened: Mutex::default() })
    }

    /// What must be known of a load that begins, and what its form lacks.
    pub(super) fn begin(&self, load: Load, form: &mut Vec<(&str, String)>) -> Result<()> {
        if matches!(load, Load::Open { .. }) {
            return Err(Error::usage("the open model needs the module locust_matrix.py in the test script")
                .next("keep 'import locust_matrix' in the locustfile, with the module's files beside it"));
        }
        // Before 2.47 its timer outlives a stop, and ends whatever test runs by then.
        if self.has_deadman() {
            form.push(("run_time", self.longest.as_secs().to_string()));
        }
        *self.window() = None;
        Ok(())
    }

    pub(super) async fn look(&self, web: &Web, cut: bool) -> Result<Snapshot> {
        let mut snapshot = self.state(web).await?;
        if !cut {
            return Ok(snapshot);
        }
        let opened = *self.window();
        match opened {
            None if snapshot.is_active() => {
                web.post_or_get("/stats/reset").await?;
                *self.window() = Some(now());
            }
            _ if snapshot.is_active() => self.fill(web, &mut snapshot).await?,
            _ => self.settle(web, &mut snapshot).await?,
        }
        let at = now();
        let spread_ms = REPORT_INTERVAL.as_secs_f64() * 1000.0;
        snapshot.now = at;
        snapshot.cut = Some(Cut { complete: true, at: Some(at), spread_ms: Some(spread_ms) });
        Ok(snapshot)
    }

    /// Everything but the figures. (Locust keeps this answer for 2 s.)
    async fn state(&self, web: &Web) -> Result<Snapshot> {
        let seen: Statistics = web.get("/stats/requests").await?;
        let workers = seen.workers.into_iter().map(|worker| Worker {
            id: worker.id,
            state: worker.state,
            user_count: worker.user_count,
            cpu_percent: worker.cpu_usage,
            memory_bytes: worker.memory_usage,
            health: None,
        });
        Ok(Snapshot {
            version: Snapshot::VERSION,
            percentile_digits: 2,
            caveat: Some(self.caveat()),
            locust: self.version.clone(),
            now: now(),
            state: seen.state,
            user_count: seen.user_count,
            workers: workers.collect(),
            entries: Vec::new(),
            total: Entry::default(),
            errors: seen.errors,
            exceptions: Vec::new(),
            open: None,
            cut: None,
        })
    }

    /// The figures since the window was opened.
    async fn fill(&self, web: &Web, snapshot: &mut Snapshot) -> Result<()> {
        let response = web.call(Method::GET, CSV, &[]).await?;
        let text = web.bytes(CSV, response, "text/csv", "CSV").await?;
        let (entries, mut total) = table::parse(&text).map_err(|error| {
            Error::cluster(format!("{}{CSV} is not understood: {error}", web.url))
                .next("use a version of Locust from 2.46 on")
        })?;
        total.times(*self.window());
        (snapshot.entries, snapshot.total) = (entries, total.entry);
        let raised: Exceptions = web.get("/exceptions").await?;
        let raised = raised.exceptions.into_iter();
        snapshot.exceptions = raised.map(|e| Exception { message: e.msg, count: e.count }).collect();
        Ok(())
    }

    /// Waits until the workers have sent what they had.
    async fn settle(&self, web: &Web, snapshot: &mut Snapshot) -> Result<()> {
        let deadline = Instant::now() + SETTLED_AT_LAST;
        self.fill(web, snapshot).await?;
        let (mut count, mut since) = (snapshot.total.requests, Instant::now());
        while since.elapsed() < SETTLED && Instant::now() < deadline {
            sleep(Duration::from_millis(250)).await;
            self.fill(web, snapshot).await?;
            if snapshot.total.requests != count {
                (count, since) = (snapshot.total.requests, Instant::now());
            }
        }
        Ok(())
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Option<f64>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_deadman(&self) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (numbers.next(), numbers.next()) >= (Some(2), Some(47))
    }

    fn caveat(&self) -> String {
        let deadman = if self.has_deadman() {
            format!("load whose driver is gone runs on for up to {} s", self.longest.as_secs())
        } else {
            "load whose driver is gone does not stop by itself".to_owned()
        };
        format!(
            "Locust {} runs without the module locust_matrix.py: percentiles have 2 digits, both ends of a \
             window are off by up to {} s, what was before it is not counted, workers tell no health, a \
             stop takes the master's whole --stop-timeout, and {deadman}",
            self.version,
            REPORT_INTERVAL.as_secs()
        )
    }
}

/// The version that Locust's page is told.
fn version(page: &str) -> Option<&str> {
    page.split("\"version\": \"").nth(1)?.split('"').next()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(version: &str) -> Stock {
        Stock { version: version.into(), longest: Duration::from_hours(2), opened: Mutex::default() }
    }

    #[test]
    fn the_version_is_on_the_page() {
        assert_eq!(version(r#"{"weight": 1}}, "version": "2.46.6", "worker_count": 1}"#), Some("2.46.6"));
        assert_eq!(version("<html>"), None);
    }

    #[test]
    fn run_time_is_the_dead_man_only_where_a_stop_takes_it_back() {
        let form = |version: &str| {
            let mut form = Vec::new();
            stock(version).begin(Load::Closed { users: 1, spawn_rate: 1.0 }, &mut form).unwrap();
            form
        };
        assert_eq!(form("2.47.0"), [("run_time", "7200".to_owned())]);
        assert_eq!(form("3.0.1").len(), 1);
        assert!(form("2.46.6").is_empty() && form("of an unknown version").is_empty());
        assert!(stock("2.46.6").caveat().contains("does not stop by itself"));
    }

    #[test]
    fn there_is_no_open_model() {
        let error = stock("2.47.0").begin(Load::Open { rate: 5.0, users: 5 }, &mut Vec::new()).unwrap_err();
        assert!(error.message.contains("locust_matrix.py"), "{error}");
    }
}
