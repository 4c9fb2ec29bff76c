//! A service, its load generator and their pods, by script: time is tokio's, which tests let run at will.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use records::three_digits;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::exit::{Error, Result};
use crate::load::{Load, LoadGenerator, Snapshot};

/// How a world goes.
pub(super) struct Script {
    /// Response time, ms, by the seconds since the load began.
    pub response_ms: fn(f64) -> u32,
    /// Requests that are under way at most in the service; more users only wait.
    pub slots: f64,
    /// Whether every request fails.
    pub fails: bool,
    /// CPU of each worker, as a share of a core.
    pub cpu: f64,
    /// Share of the first replica, 0 to 1.
    pub first_share: f64,
    /// So many seconds into the load, a pod whose name begins so is replaced.
    pub kill: Option<(f64, &'static str)>,
    /// How often that happens.
    pub kills: u32,
    /// Whether no pod can be placed.
    pub unplaced: bool,
    /// Whether a quota refuses the pods.
    pub refused: bool,
    /// From so many seconds into the load on, the master does not answer.
    pub mute_from: Option<f64>,
}

impl Default for Script {
    /// 40 requests/s per 100 ms and 4 slots, all well.
    fn default() -> Self {
        Self {
            response_ms: |_| 100,
            slots: 4.0,
            fails: false,
            cpu: 0.2,
            first_share: 0.5,
            kill: None,
            kills: 0,
            unplaced: false,
            refused: false,
            mute_from: None,
        }
    }
}

/// What is so at this moment.
pub(super) struct State {
    pub script: Script,
    begun: Instant,
    /// Replicas of each Deployment.
    pub replicas: BTreeMap<String, u32>,
    /// How often each pod was replaced.
    pub lives: BTreeMap<String, u32>,
    /// A worker that is gone cannot hand over its counts.
    lost_worker: bool,
    /// Whether the pod of the script was replaced during this load.
    killed: bool,
    load: Option<(Load, Instant)>,
    /// Up to when requests are counted, s since the load began.
    counted: f64,
    partial: f64,
    histogram: BTreeMap<u64, u64>,
    total_ms: f64,
    arrived: f64,
    /// Requests of every load together, which the replicas have counted.
    pub served: u64,
}

/// The world, as the scenario's parts see it.
#[derive(Clone)]
pub(super) struct World(Arc<Mutex<State>>);

impl World {
    pub(super) fn new(script: Script) -> Self {
        let replicas = BTreeMap::from([("inference".to_owned(), 1), ("locust-worker".to_owned(), 1)]);
        Self(Arc::new(Mutex::new(State {
            script,
            begun: Instant::now(),
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

    /// The page of a replica's own counts.
    pub(super) fn page(&self, pod: &str) -> String {
        let mut state = self.state();
        state.advance();
        let replicas = state.replicas["inference"];
        let first = if replicas == 1 { 1.0 } else { state.script.first_share };
        let share = if pod.ends_with("-0") { first } else { (1.0 - first) / f64::from(replicas - 1) };
        let count = (share * state.served as f64).round();
        format!(
            "inference_requests_total{{endpoint=\"/predict\",status=\"200\",caller=\"locust\"}} {count}\n"
        )
    }

    fn look(&self, cut: bool) -> Result<Snapshot> {
        let mut state = self.state();
        state.advance();
        if state.load.is_some() && state.script.mute_from.is_some_and(|from| state.counted >= from) {
            return Err(Error::cluster("Locust does not answer"));
        }
        if cut && state.lost_worker {
            state.lost_worker = false;
            return Err(Error::cluster("not every Locust worker handed over its counts in time"));
        }
        Ok(serde_json::from_value(state.snapshot(cut)).unwrap())
    }
}

impl State {
    /// Counts what was answered until now, in steps of 10 ms.
    fn advance(&mut self) {
        const STEP: f64 = 0.01;
        let Some((load, begun)) = self.load else { return };
        let now = begun.elapsed().as_secs_f64();
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
            self.lost_worker = prefix == "locust-worker";
            // Once per load: the next one has not come so far.
            self.killed = true;
        }
    }

    fn snapshot(&self, cut: bool) -> Value {
        let now = self.begun.elapsed().as_secs_f64();
        let count: u64 = self.histogram.values().sum();
        let succeeded = if self.script.fails { BTreeMap::new() } else { self.histogram.clone() };
        let entry = |method: &str, name: &str| {
            json!({
                "method": method, "name": name, "requests": count,
                "failures": if self.script.fails { count } else { 0 }, "total_ms": self.total_ms,
                "start_at": 0.0, "last_at": self.counted, "histogram": self.histogram,
                "succeeded": succeeded,
            })
        };
        let workers = self.replicas["locust-worker"];
        let users = self.load.map_or(0, |(load, _)| load.users());
        let state = if users > 0 { "running" } else { "ready" };
        let worker = |at: u32| {
            let share = users / workers + u32::from(at < users % workers);
            json!({
                "id": format!("locust-worker-{at}_x"), "state": state, "user_count": share,
                "cpu_percent": 100.0 * self.script.cpu, "memory_bytes": 60_000_000,
                "health": {
                    "at": now, "cpu_seconds": now * self.script.cpu, "cores": 2, "cpu_limit": null,
                    "periods": null, "throttled": null, "lag": {},
                },
            })
        };
        let open = self.load.and_then(|(load, _)| match load {
            Load::Open { rate, .. } => Some(json!({
                "rate": rate, "due": self.arrived.floor(), "started": count, "late": 0,
                "late_max_ms": 0.0, "skipped": 0,
            })),
            Load::Closed { .. } => None,
        });
        let mut value = json!({
            "version": 3, "locust": "2.47.0", "now": now, "state": state, "user_count": users,
            "workers": (0..workers).map(worker).collect::<Vec<_>>(),
            "entries": if count > 0 { vec![entry("POST", "/predict")] } else { vec![] },
            "total": entry("", "Aggregated"), "open": open, "flush": null,
        });
        if cut {
            value["flush"] = json!({"complete": true, "at": now, "spread_ms": 1.0});
        }
        // Whole numbers only: a float is no count.
        if let Some(due) = value["open"].get("due").and_then(Value::as_f64) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let due = due as u64;
            value["open"]["due"] = due.into();
        }
        value
    }
}

impl LoadGenerator for World {
    async fn snapshot(&self, _deadman: Duration) -> Result<Snapshot> {
        self.look(false)
    }

    async fn cut(&self, _deadman: Duration) -> Result<Snapshot> {
        self.look(true)
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
}
