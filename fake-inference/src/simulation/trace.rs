//! The result of a simulated load test: all requests, and counts at any time.

/// One request. Times are in s from the end of the warm-up; during the warm-up they are negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// When it was due. In the closed model this is the time at which it was sent.
    pub due_s: f64,
    /// When a user sent it.
    pub started_s: f64,
    /// When its answer came.
    pub finished_s: f64,
    /// Index of the replica that answered.
    pub replica: usize,
    /// Whether it succeeded.
    pub ok: bool,
}

impl Request {
    /// Response time from when it was due, s.
    pub fn response(&self) -> f64 {
        self.finished_s - self.due_s
    }
}

/// Counts at one time, cumulative since the empty system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were due.
    pub due: usize,
    /// Requests that a user had sent.
    pub started: usize,
    /// Requests that were answered.
    pub finished: usize,
}

impl Counts {
    /// Requests that were sent and not answered.
    pub fn under_way(&self) -> usize {
        self.started - self.finished
    }
}

/// The trace of a simulated load test.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Every request that was sent, in order of finish. Requests of the warm-up and requests that finished
    /// after the end are included.
    pub requests: Vec<Request>,
    /// Number of users on each replica.
    pub users: Vec<usize>,
    /// When requests were due and when they were sent, s; both rise.
    pub(super) due: Vec<f64>,
    pub(super) started: Vec<f64>,
}

impl Trace {
    /// Counts at a time (s after the end of the warm-up).
    pub fn counts_at(&self, time: f64) -> Counts {
        Counts {
            due: self.due.partition_point(|&at| at <= time),
            started: self.started.partition_point(|&at| at <= time),
            finished: self.finished_at(time),
        }
    }

    /// The requests that finished after `from` and not after `to` (s after the end of the warm-up).
    pub fn finished_between(&self, from: f64, to: f64) -> &[Request] {
        let (from, to) = (self.finished_at(from), self.finished_at(to));
        &self.requests[from..to.max(from)]
    }

    fn finished_at(&self, time: f64) -> usize {
        self.requests.partition_point(|request| request.finished_s <= time)
    }
}
