//! Locust's stock API, for a master whose script does not import the module locust_matrix.py.
//!
//! The stock API has no cut. A window starts with `/stats/reset`, which clears the master's counts but not those
//! that the workers have not sent yet. It ends with the statistics as CSV, which lack those counts, too. So both
//! ends are off by up to 3 s, the time between two reports of a worker. After a stop no last report comes at
//! once, so the final counts are awaited until they no longer change. Counts from before the window are lost.
//! A worker is ready for the next load only after the master's whole `--stop-timeout`. That is 120 s in the
//! manifests; a script without the module needs a shorter one.

mod page;
mod table;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::answer::{FailureAnswer, StateAnswer};
use super::product::NAME;
use super::web::Web;
use crate::exit::{Error, Result};
use crate::load::{Capabilities, Cut, Exception, Failure, Left, Load, Script, Snapshot, State, Worker};

/// Locust's `WORKER_REPORT_INTERVAL`.
const REPORT_INTERVAL: Duration = Duration::from_secs(3);
/// The counts of a stopped load are final after they have not changed for this long.
const UNCHANGED_FOR: Duration = Duration::from_millis(3500);
/// The counts of a stopped load are taken as final after this long, even if they still change.
const FINAL_WITHIN: Duration = Duration::from_secs(20);
const CSV: &str = "/stats/requests/csv";

/// A master without the module.
#[derive(Debug)]
pub(super) struct Stock {
    version: String,
    script: Script,
    longest: Duration,
    /// When the window was opened, s since the epoch; `None` before.
    opened_at: Mutex<Option<f64>>,
    users: Mutex<Users>,
}

/// The users of the present load.
#[derive(Clone, Copy, Debug, Default)]
struct Users {
    asked: u32,
    /// Whether all of them have run, and nobody has started a load since.
    all_ran: bool,
}

impl Users {
    /// How many have ended by themselves, by what Locust says of itself and of its workers: it is done with starting
    /// users, all workers run, and fewer users are left. A lost worker is not listed as running.
    fn left(&mut self, snapshot: &Snapshot) -> u32 {
        if snapshot.state != State::Running || snapshot.workers.iter().any(|one| one.state != State::Running)
        {
            self.all_ran = false;
        } else if snapshot.user_count == self.asked {
            self.all_ran = true;
        }
        if self.all_ran { self.asked.saturating_sub(snapshot.user_count) } else { 0 }
    }
}

#[derive(Deserialize)]
struct StatisticsAnswer {
    state: StateAnswer,
    user_count: u32,
    workers: Vec<WorkerAnswer>,
    #[serde(default)]
    errors: Vec<FailureAnswer>,
}

#[derive(Deserialize)]
struct WorkerAnswer {
    id: String,
    state: StateAnswer,
    user_count: u32,
    cpu_usage: f64,
    memory_usage: u64,
}

#[derive(Deserialize)]
struct ExceptionsAnswer {
    exceptions: Vec<ExceptionAnswer>,
}

#[derive(Deserialize)]
struct ExceptionAnswer {
    msg: String,
    count: u64,
}

impl Stock {
    /// Checks that this is a Locust and reads its version.
    pub(super) async fn probe(web: &Web, longest: Duration) -> Result<Self> {
        let _: StatisticsAnswer = web.get("/stats/requests").await?;
        let page = web.call(Method::GET, "/", &[]).await?.text().await.unwrap_or_default();
        let version = page::version(&page).unwrap_or("of an unknown version").to_owned();
        Ok(Self {
            version,
            script: page::script(&page),
            longest,
            opened_at: Mutex::default(),
            users: Mutex::default(),
        })
    }

    /// What a Locust without the module can do.
    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: format!("{} {}", NAME, self.version),
            version: self.version.clone(),
            exact_windows: false,
            live_counts: false,
            open_model: Err(open_model_refused()),
            health: false,
            percentile_digits: 2,
            script: self.script.clone(),
            caveat: Some(self.caveat()),
        }
    }

    /// Forgets the window of the last load, and adds the fields that the form of the next start needs.
    pub(super) fn prepare_start(&self, load: Load, form: &mut Vec<(&str, String)>) -> Result<()> {
        let Load::Closed { users, .. } = load else { return Err(open_model_refused()) };
        *locked(&self.users) = Users { asked: users, all_ran: false };
        // Before 2.47 the timer of run_time goes on after a stop and ends whatever load runs by then.
        if self.run_time_ends_with_a_stop() {
            form.push(("run_time", self.longest.as_secs().to_string()));
        }
        *locked(&self.opened_at) = None;
        Ok(())
    }

    /// State, workers and errors, without counts. (Locust caches this answer for 2 s.)
    pub(super) async fn snapshot(&self, web: &Web) -> Result<Snapshot> {
        let answer: StatisticsAnswer = web.get("/stats/requests").await?;
        let workers = answer.workers.into_iter().map(|worker| Worker {
            id: worker.id,
            state: worker.state.into(),
            user_count: worker.user_count,
            cpu_percent: worker.cpu_usage,
            memory_bytes: worker.memory_usage,
            health: None,
        });
        let mut snapshot = Snapshot {
            user_count: answer.user_count,
            workers: workers.collect(),
            errors: answer.errors.into_iter().map(Failure::from).collect(),
            ..Snapshot::empty(now(), answer.state.into())
        };
        let count = u64::from(locked(&self.users).left(&snapshot));
        if count > 0 {
            let classes = self.script.user_classes.iter().map(|class| class.name.as_str());
            let user = classes.collect::<Vec<_>>().join(" or ");
            let why = "Locust tells the reason only with the module locust_matrix.py".to_owned();
            snapshot.left = vec![Left { user, why, count }];
        }
        Ok(snapshot)
    }

    /// The first cut of a load opens the window; later ones have the counts since then.
    pub(super) async fn cut(&self, web: &Web) -> Result<Snapshot> {
        let mut snapshot = self.snapshot(web).await?;
        let opened_at = *locked(&self.opened_at);
        match opened_at {
            None if snapshot.is_active() => {
                web.post_or_get("/stats/reset").await?;
                *locked(&self.opened_at) = Some(now());
            }
            _ if snapshot.is_active() => self.read_counts(web, &mut snapshot).await?,
            _ => self.await_final_counts(web, &mut snapshot).await?,
        }
        let at = now();
        let spread_ms = REPORT_INTERVAL.as_secs_f64() * 1000.0;
        snapshot.now = at;
        snapshot.cut = Some(Cut { complete: true, at: Some(at), spread_ms: Some(spread_ms) });
        Ok(snapshot)
    }

    /// Adds the counts and exceptions since the window was opened.
    async fn read_counts(&self, web: &Web, snapshot: &mut Snapshot) -> Result<()> {
        let response = web.call(Method::GET, CSV, &[]).await?;
        let text = web.body(CSV, response, "text/csv", "CSV").await?;
        snapshot.counts = table::parse(&text, *locked(&self.opened_at)).map_err(|error| {
            Error::cluster(format!("{}{CSV} is not understood: {error}", web.url))
                .next("use a version of Locust from 2.46 on")
        })?;
        let answer: ExceptionsAnswer = web.get("/exceptions").await?;
        let exceptions = answer.exceptions.into_iter();
        snapshot.exceptions = exceptions.map(|e| Exception { message: e.msg, count: e.count }).collect();
        Ok(())
    }

    /// Reads the counts until the workers have sent everything.
    async fn await_final_counts(&self, web: &Web, snapshot: &mut Snapshot) -> Result<()> {
        let deadline = Instant::now() + FINAL_WITHIN;
        self.read_counts(web, snapshot).await?;
        let (mut requests, mut changed_at) = (snapshot.counts.total.requests, Instant::now());
        while changed_at.elapsed() < UNCHANGED_FOR && Instant::now() < deadline {
            sleep(Duration::from_millis(250)).await;
            self.read_counts(web, snapshot).await?;
            if snapshot.counts.total.requests != requests {
                (requests, changed_at) = (snapshot.counts.total.requests, Instant::now());
            }
        }
        Ok(())
    }

    /// Whether Locust's `run_time` can serve as a dead-man switch: from 2.47 on, a stop ends its timer.
    fn run_time_ends_with_a_stop(&self) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (numbers.next(), numbers.next()) >= (Some(2), Some(47))
    }

    fn caveat(&self) -> String {
        let deadman = if self.run_time_ends_with_a_stop() {
            format!("load whose driver is gone runs on for up to {} s", self.longest.as_secs())
        } else {
            "load whose driver is gone does not stop by itself".to_owned()
        };
        format!(
            "{} {} runs without the module locust_matrix.py: percentiles have 2 digits, both ends of a window \
             are off by up to {} s, requests before the window are not counted, workers report no health, a \
             stop takes the master's whole --stop-timeout, and {deadman}",
            NAME,
            self.version,
            REPORT_INTERVAL.as_secs()
        )
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_model_refused() -> Error {
    Error::usage("the open model needs the module locust_matrix.py in the test script")
        .next("keep 'import locust_matrix' in the locustfile, with the module's files beside it")
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::snapshot::tests::with_workers;

    fn stock(version: &str) -> Stock {
        let script = Script::default();
        Stock {
            version: version.into(),
            script,
            longest: Duration::from_hours(2),
            opened_at: Mutex::default(),
            users: Mutex::default(),
        }
    }

    #[test]
    fn users_that_leave_are_told_from_a_lost_worker_and_from_a_new_load() {
        let mut users = Users { asked: 4, all_ran: false };
        let mut left = |state: State, workers: &[(State, u32)]| users.left(&with_workers(state, workers));
        let running = State::Running;
        assert_eq!(left(running, &[(running, 1), (running, 1)]), 0, "the others have not started yet");
        assert_eq!(left(running, &[(running, 2), (running, 2)]), 0);
        assert_eq!(left(running, &[(running, 2), (running, 1)]), 1);
        assert_eq!(left(running, &[(running, 0), (running, 0)]), 4);
        assert_eq!(left(running, &[(running, 2), (State::Missing, 2)]), 0);
        assert_eq!(left(running, &[(running, 2)]), 0, "a worker was lost");
        assert_eq!(left(running, &[(running, 2), (running, 2)]), 0);
        assert_eq!(left(State::Spawning, &[(running, 2), (running, 1)]), 0, "somebody starts another load");
        assert_eq!(left(running, &[(running, 2), (running, 1)]), 0);
    }

    #[test]
    fn run_time_is_set_only_if_a_stop_ends_its_timer() {
        let form = |version: &str| {
            let mut form = Vec::new();
            stock(version).prepare_start(Load::Closed { users: 1, spawn_rate: 1.0 }, &mut form).unwrap();
            form
        };
        assert_eq!(form("2.47.0"), [("run_time", "7200".to_owned())]);
        assert_eq!(form("3.0.1").len(), 1);
        assert!(form("2.46.6").is_empty() && form("of an unknown version").is_empty());
    }

    #[test]
    fn without_the_module_little_is_possible_and_the_caveat_says_so() {
        let can = stock("2.46.6").capabilities();
        assert_eq!((can.name.as_str(), can.percentile_digits), ("Locust 2.46.6", 2));
        assert!(!can.exact_windows && !can.live_counts && can.open_model.is_err() && !can.health);
        assert!(can.caveat.unwrap().contains("does not stop by itself"));
        assert!(stock("2.47.0").caveat().contains("runs on for up to 7200 s"));
    }

    #[test]
    fn an_open_load_is_refused() {
        let load = Load::Open { rate: 5.0, users: 5, seed: 1 };
        let error = stock("2.47.0").prepare_start(load, &mut Vec::new()).unwrap_err();
        assert!(error.message.contains("locust_matrix.py"), "{error}");
    }
}
