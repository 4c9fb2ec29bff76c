//! What happens in a scripted world.

use std::ops::Range;

use crate::load::{Capabilities, Script as LoadScript};

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
        script: LoadScript::default(),
        caveat: None,
    }
}

/// Something that a test script does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByScript {
    /// All users leave when they are done.
    UsersLeave,
    /// It stops the test.
    Stop,
    /// It sends the workers home.
    Quit,
    /// A user tells its worker to quit, which then stops half-way: its users never end.
    QuitOnWorker,
}

/// The behaviour of a world.
#[expect(clippy::struct_excessive_bools, reason = "independent faults, of which a test names one or two")]
pub(super) struct Script {
    /// What the load generator says that it can do.
    pub capabilities: Capabilities,
    /// Response time, ms, by the seconds since the start of the load.
    pub response_ms: fn(f64) -> u32,
    /// How long the users take to start, s.
    pub ramp_s: f64,
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
    /// A readiness gate of the service's pods that nobody opens.
    pub gate: Option<&'static str>,
    /// Somebody else sets the service's replicas to this number after each of the driver's first changes, that many
    /// times.
    pub other_scaler: Option<(u32, u32)>,
    /// The time since the start of the load, s, at which somebody else sets the service's replicas, and their number.
    pub rescaled: Option<(f64, u32)>,
    /// The grace period of the service's pods, s. Pods that are scaled down use all of it.
    pub leaves_after: u32,
    /// After this many changes of the service's replicas, its tag leads to another image.
    pub image_moves_after: u32,
    /// After this many changes of the service's replicas, its pod template has another variable.
    pub template_changes_after: u32,
    /// The times since the start of the first load, s, between which the load generator does not answer.
    pub silent: Option<Range<f64>>,
    /// The same, but its answers come when it goes on.
    pub paused: Option<Range<f64>>,
    /// As `silent`, for the API server.
    pub api_away: Option<Range<f64>>,
    /// The time since the start of the load, s, at which the master is replaced by one that knows of no load. Its
    /// workers run on until they notice.
    pub master_lost: Option<f64>,
    /// The times since the start of the first load, s, between which a worker is too busy to hand over its counts.
    pub starved: Option<Range<f64>>,
    /// The time since the start of each load, s, at which the test script does this by itself.
    pub own_doing: Option<(f64, ByScript)>,
    /// Whether the load generator answers nothing useful until its pods are replaced.
    pub needs_restart: bool,
    /// The time since the start of the load, s, at which another driver takes the Lease.
    pub taken_at: Option<f64>,
    /// The time since the start of the load, s, at which the load generator's clock is set, and by how much, s.
    pub clock_set: Option<(f64, f64)>,
}

impl Default for Script {
    /// No problems: 100 ms and 4 slots, which make 40 requests/s.
    fn default() -> Self {
        Self {
            capabilities: capabilities(),
            response_ms: |_| 100,
            ramp_s: 0.0,
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
            gate: None,
            other_scaler: None,
            rescaled: None,
            leaves_after: 0,
            image_moves_after: u32::MAX,
            template_changes_after: u32::MAX,
            silent: None,
            paused: None,
            api_away: None,
            master_lost: None,
            starved: None,
            own_doing: None,
            needs_restart: false,
            taken_at: None,
            clock_set: None,
        }
    }
}
