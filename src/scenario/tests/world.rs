//! A service, its load generator and their pods, which follow a script. Time is tokio's, which tests can pause.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use records::{Endpoint, Health, Histogram, OpenCounts, three_digits};
use tokio::time::Instant;

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
    /// Whether every request fails.
    pub fails: bool,
    /// CPU of each worker, as a share of a core.
    pub cpu: f64,
    /// Share of the first replica, 0 to 1.
    pub first_share: f64,
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
            fails: false,
            cpu: 0.2,
            first_share: 0.5,
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
    histogram: BTreeMap<u64, u64>,
    total_ms: f64,
    arrived: f64,
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
            histogram: BTreeMap::new(),
            total_ms: 0.0,
            arrived: 0.0,
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
        format!(
            "inference_requests_total{{endpoint=\"/predict\",status=\"200\",caller=\"{CALLER}\"}} {count}\n"
        )
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
    /// Counts the requests that were answered until now, in steps of 10 ms.
    fn advance(&mut self) {
        const STEP: f64 = 0.01;
        let Some((load, started)) = self.load else { return };
        let now = started.elapsed().as_secs_f64();
        while self.counted + STEP <= now {
            self.counted += STEP;
            let own_ms = f64::from((self.script.response_ms)(self.counted));
            let most = self.script.slots * 1000.0 / own_ms.max(1.0);
            let (rate, ms) = match load {
                Load::Closed { users, .. } => {
                    let rate = (f64::from(users) * 1000.0 / own_ms.max(1.0)).min(most);
                    (rate, f64::from(users) * 1000.0 / rate)
                }
                Load::Open { rate, .. } => (rate.min(most), own_ms),
            };
            if let Load::Open { rate, .. } = load {
                self.arrived += rate * STEP;
            }
            self.partial += rate * STEP;
            let whole = (self.partial + 1e-9).floor();
            self.partial -= whole;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let (whole, bucket) = (whole as u64, three_digits((1000.0 * ms).round() as u64));
            *self.histogram.entry(bucket).or_default() += whole;
            self.histogram.retain(|_, count| *count > 0);
            self.total_ms += whole as f64 * ms;
            self.served += whole;
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

    fn snapshot(&self, cut: bool) -> Snapshot {
        let now = self.created.elapsed().as_secs_f64();
        let histogram = Histogram(self.histogram.clone());
        let requests = histogram.count();
        let endpoint = |method: &str, name: &str| Endpoint {
            method: method.into(),
            name: name.into(),
            requests,
            failures: if self.script.fails { requests } else { 0 },
            total_ms: self.total_ms,
            succeeded: if self.script.fails { Histogram::default() } else { histogram.clone() },
            histogram: histogram.clone(),
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
        let open = self.load.and_then(|(load, _)| match load {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            Load::Open { rate, .. } => Some(OpenCounts {
                rate,
                due: self.arrived.floor() as u64,
                started: requests,
                ..OpenCounts::default()
            }),
            Load::Closed { .. } => None,
        });
        Snapshot {
            user_count: users,
            workers: (0..workers).map(worker).collect(),
            counts: Counts {
                total: endpoint("", "Aggregated"),
                endpoints: if requests > 0 { vec![endpoint("POST", "/predict")] } else { Vec::new() },
                first_at: Some(0.0),
                last_at: Some(self.counted),
                ..Counts::default()
            },
            open,
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
        (state.counted, state.partial, state.total_ms, state.arrived) = (0.0, 0.0, 0.0, 0.0);
        state.histogram.clear();
        state.killed = false;
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
