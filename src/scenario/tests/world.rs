//! A service, its load generator and their pods, which follow a script. Time is tokio's, which tests can pause.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use records::{Endpoint, Health, Histogram, three_digits};
use tokio::time::Instant;

use super::open_queue::{Answer, OpenQueue};
use crate::exit::{Error, Result};
use crate::load::{
    Capabilities, Counts, Cut, Load, LoadGenerator, Snapshot, State as LoadState, Unreached, Worker,
};
use crate::wait::TimedOut;

/// The Deployment of the load generator's workers.
pub(super) const WORKERS: &str = "load-worker";
/// The load generator's name on the replicas' metrics page.
const CALLER: &str = "script";

/// A load generator that can do everything.
pub(super) fn capabilities() -> Capabilities {
    Capabilities {
        name: "script 1.0".into(),
        version: "1.0".into(),
        exact_windows: true,
        live_counts: true,
        open_model: Ok(()),
        health: true,
        percentile_digits: 3,
        caveat: None,
    }
}

/// The behaviour of a world.
pub(super) struct Script {
    /// What the load generator says that it can do.
    pub capabilities: Capabilities,
    /// Response time, ms, by the seconds since the start of the load.
    pub response_ms: fn(f64) -> u32,
    /// Requests that the service handles at the same time; others wait.
    pub slots: f64,
    /// In the open model, requests that may wait at the service; others are answered 503 in 1 ms.
    pub queue_limit: usize,
    /// Whether every request fails.
    pub fails: bool,
    /// CPU of each worker, as a share of a core.
    pub cpu: f64,
    /// Share of the requests that the first replica finishes, 0 to 1.
    pub first_share: f64,
    /// Share of the requests under way that are at the first replica, 0 to 1; `None` if the replicas do not
    /// count requests under way.
    pub first_under_way: Option<f64>,
    /// The time since the start of the load, s, at which the load generator's counts are set to zero, and
    /// whether it tells that they were.
    pub reset: Option<(f64, bool)>,
    /// The time since the start of the load, s, at which the first pod of this Deployment is replaced.
    pub kill: Option<(f64, &'static str)>,
    /// In how many loads this happens.
    pub kills: u32,
    /// Whether no pod can be placed.
    pub unplaced: bool,
    /// Whether a quota refuses the pods.
    pub refused: bool,
    /// The time since the start of the load, s, from which the load generator does not answer.
    pub silent_from: Option<f64>,
}

impl Default for Script {
    /// No problems: 100 ms and 4 slots, which make 40 requests/s.
    fn default() -> Self {
        Self {
            capabilities: capabilities(),
            response_ms: |_| 100,
            slots: 4.0,
            queue_limit: usize::MAX,
            fails: false,
            cpu: 0.2,
            first_share: 0.5,
            first_under_way: None,
            reset: None,
            kill: None,
            kills: 0,
            unplaced: false,
            refused: false,
            silent_from: None,
        }
    }
}

/// The present state of a world.
pub(super) struct State {
    pub script: Script,
    created: Instant,
    /// Replicas of each Deployment.
    pub replicas: BTreeMap<String, u32>,
    /// How often each pod was replaced.
    pub lives: BTreeMap<String, u32>,
    /// Whether the next cut fails, because a worker that is gone cannot hand over its counts.
    lost_worker: bool,
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
        let replicas = BTreeMap::from([("inference".to_owned(), 1), (WORKERS.to_owned(), 1)]);
        Self(Arc::new(Mutex::new(State {
            script,
            created: Instant::now(),
            replicas,
            lives: BTreeMap::new(),
            lost_worker: false,
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
        self.state().load.is_some()
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

    fn read(&self, cut: bool) -> Result<Snapshot> {
        let mut state = self.state();
        state.advance();
        if state.load.is_some() && state.script.silent_from.is_some_and(|from| state.counted >= from) {
            return Err(Error::cluster("the script does not answer"));
        }
        if cut && state.lost_worker {
            state.lost_worker = false;
            return Err(Error::cluster("not every worker handed over its counts in time"));
        }
        Ok(state.snapshot(cut))
    }
}

impl State {
    /// Counts the requests that were answered until now.
    fn advance(&mut self) {
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
        if let Some((at, is_told)) = self.script.reset
            && now >= at
            && !self.was_reset
        {
            self.clear();
            self.was_reset = true;
            self.resets += u64::from(is_told);
        }
        if let Some((at, prefix)) = self.script.kill
            && self.script.kills > 0
            && !self.killed
            && now >= at
        {
            self.script.kills -= 1;
            *self.lives.entry(format!("{prefix}-0")).or_default() += 1;
            self.lost_worker = prefix == WORKERS;
            // Once per load.
            self.killed = true;
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
        *self.histogram.0.entry(bucket).or_default() += count;
        if ok {
            *self.succeeded.0.entry(bucket).or_default() += count;
        }
        self.total_ms += count as f64 * us as f64 / 1000.0;
        self.served += count;
    }

    /// Sets the load generator's counts to zero.
    fn clear(&mut self) {
        (self.histogram, self.succeeded, self.total_ms) = (Histogram::default(), Histogram::default(), 0.0);
    }

    fn snapshot(&self, cut: bool) -> Snapshot {
        let now = self.created.elapsed().as_secs_f64();
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
        let state = if users > 0 { LoadState::Running } else { LoadState::Ready };
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
        Snapshot {
            user_count: users,
            workers: (0..workers).map(worker).collect(),
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
        }
    }
}

impl LoadGenerator for World {
    fn name(&self) -> &'static str {
        "The script"
    }

    fn caller(&self) -> &'static str {
        CALLER
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.state().script.capabilities.clone())
    }

    async fn snapshot(&self, _deadman: Duration) -> Result<Snapshot> {
        self.read(false)
    }

    async fn cut(&self, _deadman: Duration) -> Result<Snapshot> {
        self.read(true)
    }

    async fn start(&self, load: Load, _host: &str) -> Result<()> {
        let mut state = self.state();
        state.load = Some((load, Instant::now()));
        (state.counted, state.partial) = (0.0, 0.0);
        state.clear();
        (state.killed, state.was_reset) = (false, false);
        state.open = None;
        if let Load::Open { rate, users, seed } = load {
            state.open = Some(OpenQueue::new(rate, users, state.script.slots, state.script.queue_limit));
            state.seeds.push(seed);
        }
        Ok(())
    }

    async fn stop(&self) -> Result<()> {
        let mut state = self.state();
        state.advance();
        state.load = None;
        Ok(())
    }

    fn explain(&self, unreached: &Unreached, timed_out: &TimedOut) -> Error {
        Error::cluster(format!("{unreached:?} {timed_out}"))
    }
}
