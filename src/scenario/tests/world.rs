//! A service, its load generator and their pods, which follow a script. Time is tokio's, which tests can pause.

mod by_script;
mod generator;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use records::{Endpoint, Health, Histogram, three_digits};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::cluster::Leaving;
use super::open_queue::{Answer, OpenQueue};
use super::script::{ByScript, Script};
use crate::exit::{Error, Result};
use crate::load::{Counts, Cut, Load, Snapshot, State as LoadState, Worker};
use crate::objects::JOB;

/// A worker that was killed stays on the list for this long.
const STAYS_LISTED: Duration = Duration::from_secs(30);
/// How long a cut waits for a worker that does not answer.
const CUT_WAITS: Duration = Duration::from_secs(5);

/// The Deployment of the load generator's workers.
pub(super) const WORKERS: &str = "load-worker";
/// The Deployment of the load generator's master.
pub(super) const MASTER: &str = "load-master";
/// The load generator's name on the replicas' metrics page.
const CALLER: &str = "script";

/// The present state of a world.
pub(super) struct State {
    pub script: Script,
    created: Instant,
    /// Replicas of each Deployment.
    pub replicas: BTreeMap<String, u32>,
    /// How often the driver has set the service's replicas.
    pub scales: u32,
    /// The pods of the service that were scaled down last.
    pub leaving: Option<Leaving>,
    /// How often each pod was replaced.
    pub lives: BTreeMap<String, u32>,
    /// When a worker was killed. The load generator lists it for half a minute, and its counts are missing.
    worker_lost: Option<Instant>,
    /// When the first load was started.
    first_started: Option<Instant>,
    /// When the load generator was last asked for a snapshot: its dead-man switch.
    asked: Instant,
    /// How far the load generator's clock was set, s.
    clock: f64,
    /// Whether the master knows of no load, though workers may run one.
    master_is_new: bool,
    /// The drivers' Lease.
    pub lease: Value,
    /// What the test script has done by itself in this load.
    by_script: Option<ByScript>,
    /// How often the load generator's pods were replaced.
    pub restarts: u32,
    /// Whether the pod of the script was replaced during this load.
    killed: bool,
    load: Option<(Load, Instant)>,
    /// Up to when requests are counted, s since the start of the load.
    counted: f64,
    partial: f64,
    histogram: Histogram,
    succeeded: Histogram,
    total_ms: f64,
    /// The open model's arrivals; `None` in the closed model.
    open: Option<OpenQueue>,
    resets: u64,
    /// Whether the counts were set to zero during this load.
    was_reset: bool,
    /// The seed of the arrivals of each load.
    pub seeds: Vec<u64>,
    /// Requests of all loads together, as the replicas count them.
    pub served: u64,
}

/// A shared world: the load generator, and the state behind the cluster's API server.
#[derive(Clone)]
pub(super) struct World(Arc<Mutex<State>>);

impl World {
    pub(super) fn new(script: Script) -> Self {
        Self(Arc::new(Mutex::new(State {
            script,
            created: Instant::now(),
            replicas: ["inference", MASTER, WORKERS].map(|name| (name.to_owned(), 1)).into(),
            scales: 0,
            leaving: None,
            lives: BTreeMap::new(),
            worker_lost: None,
            first_started: None,
            asked: Instant::now(),
            clock: 0.0,
            master_is_new: false,
            lease: json!({ "metadata": { "name": JOB, "resourceVersion": "1" }, "spec": {} }),
            by_script: None,
            restarts: 0,
            killed: false,
            load: None,
            counted: 0.0,
            partial: 0.0,
            histogram: Histogram::default(),
            succeeded: Histogram::default(),
            total_ms: 0.0,
            open: None,
            resets: 0,
            was_reset: false,
            seeds: Vec::new(),
            served: 0,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn is_loaded(&self) -> bool {
        let mut state = self.state();
        state.advance();
        state.load.is_some()
    }

    /// The metrics page of a replica.
    pub(super) fn page(&self, pod: &str) -> String {
        let mut state = self.state();
        state.advance();
        let replicas = state.replicas["inference"];
        let first = if replicas == 1 { 1.0 } else { state.script.first_share };
        let share = if pod.ends_with("-0") { first } else { (1.0 - first) / f64::from(replicas - 1) };
        let count = (share * state.served as f64).round();
        let labels = format!("endpoint=\"/predict\",caller=\"{CALLER}\"");
        let mut page = format!("inference_requests_total{{status=\"200\",{labels}}} {count}\n");
        if let Some(first) = state.script.first_under_way {
            let share =
                if pod.ends_with("-0") { first } else { (1.0 - first) / f64::from(replicas - 1).max(1.0) };
            let users = state.load.map_or(0, |(load, _)| load.users());
            let under_way = (share * f64::from(users)).round();
            let _ = writeln!(page, "inference_requests_in_flight{{{labels}}} {under_way}");
        }
        page
    }

    /// Answers as the real one does: a cut waits for missing workers before it says that they are missing.
    async fn read(&self, cut: bool) -> Result<Snapshot> {
        let pause = self.state().pause_left();
        sleep(pause).await;
        let late = {
            let mut state = self.state();
            state.advance();
            state.answers()?;
            state.asked = Instant::now();
            cut && state.load.is_some() && state.a_worker_is_late()
        };
        if late {
            sleep(CUT_WAITS).await;
        }
        let mut state = self.state();
        state.advance();
        state.answers()?;
        let mut snapshot = state.snapshot(cut);
        if late && let Some(cut) = &mut snapshot.cut {
            cut.complete = false;
        }
        Ok(snapshot)
    }
}

impl State {
    /// The time since the first load, s.
    fn since_first(&self) -> Option<f64> {
        self.first_started.map(|started| started.elapsed().as_secs_f64())
    }

    fn is_within(&self, range: Option<&Range<f64>>) -> bool {
        range.zip(self.since_first()).is_some_and(|(range, at)| range.contains(&at))
    }

    /// How long the load generator still stands still.
    fn pause_left(&self) -> Duration {
        let left = self.script.paused.as_ref().zip(self.since_first());
        let left = left.filter(|(pause, at)| pause.contains(at)).map_or(0.0, |(pause, at)| pause.end - at);
        Duration::from_secs_f64(left)
    }

    /// Whether the load generator answers.
    fn answers(&self) -> Result<()> {
        if self.script.needs_restart && self.restarts == 0 || self.is_within(self.script.silent.as_ref()) {
            return Err(Error::cluster("the script does not answer"));
        }
        Ok(())
    }

    /// Whether the API server answers.
    pub(super) fn api_answers(&self) -> bool {
        !self.is_within(self.script.api_away.as_ref())
    }

    fn a_worker_is_late(&self) -> bool {
        self.a_lost_worker_is_listed() || self.is_within(self.script.starved.as_ref())
    }

    fn a_lost_worker_is_listed(&self) -> bool {
        self.worker_lost.is_some_and(|at| at.elapsed() < STAYS_LISTED)
    }

    /// A new master and new workers.
    pub(super) fn restart(&mut self) {
        self.restarts += 1;
        (self.load, self.worker_lost, self.master_is_new) = (None, None, false);
        self.by_script = None;
    }

    /// Counts the requests that were answered until now.
    fn advance(&mut self) {
        if self.asked.elapsed() >= super::super::setup::DEADMAN {
            self.load = None;
        }
        let Some((load, started)) = self.load else { return };
        let now = started.elapsed();
        if let Some(queue) = &mut self.open {
            let now = u64::try_from(now.as_micros()).unwrap();
            for Answer { response_us, ok } in queue.advance(now, self.script.response_ms) {
                self.count(response_us, ok && !self.script.fails, 1);
            }
        }
        let now = now.as_secs_f64();
        match load {
            Load::Closed { users, .. } => self.advance_closed(users, now),
            Load::Open { .. } => self.counted = now,
        }
        self.disturb(now);
        if let Some((at, is_told)) = self.script.reset
            && now >= at
            && !self.was_reset
        {
            self.clear();
            self.was_reset = true;
            self.resets += u64::from(is_told);
        }
        if let Some((at, to)) = self.script.rescaled
            && self.load.is_some_and(|(_, started)| started.elapsed().as_secs_f64() >= at)
        {
            self.replicas.insert("inference".into(), to);
        }
        if let Some((at, prefix)) = self.script.kill
            && self.script.kills > 0
            && !self.killed
            && now >= at
        {
            self.script.kills -= 1;
            *self.lives.entry(format!("{prefix}-0")).or_default() += 1;
            if prefix == WORKERS {
                self.worker_lost = Some(Instant::now());
            }
            // Once per load.
            self.killed = true;
        }
    }

    /// What happens to the load generator at its time.
    fn disturb(&mut self, now: f64) {
        if self.script.master_lost.is_some_and(|at| now >= at) {
            self.script.master_lost = None;
            self.master_is_new = true;
            self.clear();
        }
        self.act_by_script(now);
        if self.script.taken_at.is_some_and(|at| now >= at) {
            self.lease["spec"]["holderIdentity"] = json!("b");
        }
        if let Some((at, by)) = self.script.clock_set
            && now >= at
        {
            self.script.clock_set = None;
            self.clock += by;
        }
    }

    /// Counts the answers of a closed loop until `now` (s), in steps of 10 ms.
    fn advance_closed(&mut self, users: u32, now: f64) {
        const STEP: f64 = 0.01;
        while self.counted + STEP <= now {
            self.counted += STEP;
            let own_ms = f64::from((self.script.response_ms)(self.counted));
            let most = self.script.slots * 1000.0 / own_ms.max(1.0);
            let rate = (f64::from(users) * 1000.0 / own_ms.max(1.0)).min(most);
            self.partial += rate * STEP;
            let whole = (self.partial + 1e-9).floor();
            self.partial -= whole;
            let us = 1e6 * f64::from(users) / rate;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small and positive"
            )]
            self.count(us.round() as u64, !self.script.fails, whole as u64);
        }
    }

    /// Counts `count` answered requests.
    fn count(&mut self, us: u64, ok: bool, count: u64) {
        if count == 0 {
            return;
        }
        let bucket = three_digits(us);
        let counted = [(bucket, count)].into_iter().collect();
        self.histogram.add(&counted);
        if ok {
            self.succeeded.add(&counted);
        }
        self.total_ms += count as f64 * us as f64 / 1000.0;
        self.served += count;
    }

    /// Sets the load generator's counts to zero.
    fn clear(&mut self) {
        (self.histogram, self.succeeded, self.total_ms) = (Histogram::default(), Histogram::default(), 0.0);
    }

    fn snapshot(&self, cut: bool) -> Snapshot {
        let now = self.created.elapsed().as_secs_f64() + self.clock;
        let requests = self.histogram.count();
        let endpoint = |method: &str, name: &str| Endpoint {
            method: method.into(),
            name: name.into(),
            requests,
            failures: requests - self.succeeded.count(),
            total_ms: self.total_ms,
            succeeded: self.succeeded.clone(),
            histogram: self.histogram.clone(),
            from_send: None,
        };
        let users = self.load.map_or(0, |(load, _)| load.users());
        let ramp = self.load.is_some_and(|(_, started)| started.elapsed().as_secs_f64() < self.script.ramp_s);
        let state = match (users, ramp) {
            (0, _) => LoadState::Ready,
            (_, true) => LoadState::Spawning,
            (_, false) => LoadState::Running,
        };
        let workers = self.replicas[WORKERS];
        let health = Health {
            at: now,
            cpu_seconds: now * self.script.cpu,
            cores: 2,
            cpu_limit: None,
            periods: None,
            throttled: None,
            lag: Histogram::default(),
        };
        let worker = |at: u32| Worker {
            id: format!("{WORKERS}-{at}_x"),
            state,
            user_count: users / workers + u32::from(at < users % workers),
            cpu_percent: 100.0 * self.script.cpu,
            memory_bytes: 60_000_000,
            health: Some(health.clone()),
        };
        if self.master_is_new {
            // Its workers have not noticed yet that their master is gone.
            return Snapshot {
                cut: cut.then_some(Cut { complete: false, at: None, spread_ms: None }),
                ..Snapshot::empty(now, LoadState::Ready)
            };
        }
        let mut listed: Vec<_> = (0..workers).map(worker).collect();
        if self.a_lost_worker_is_listed() {
            // The old process stays on the list with its users, and the pod's new one is listed beside it.
            listed.push(Worker {
                id: format!("{WORKERS}-0_new"),
                user_count: 0,
                state: LoadState::Ready,
                ..worker(0)
            });
            listed[0].state = LoadState::Running;
            listed[0].user_count = listed[0].user_count.max(1);
        }
        let snapshot = Snapshot {
            user_count: users,
            workers: listed,
            counts: Counts {
                total: endpoint("", "Aggregated"),
                endpoints: if requests > 0 { vec![endpoint("POST", "/predict")] } else { Vec::new() },
                first_at: Some(0.0),
                last_at: Some(self.counted),
                resets: self.resets,
                ..Counts::default()
            },
            open: self.open.as_ref().map(OpenQueue::counts),
            cut: cut.then_some(Cut { complete: true, at: Some(now), spread_ms: Some(1.0) }),
            ..Snapshot::empty(now, state)
        };
        self.as_the_script_left_it(snapshot)
    }
}
