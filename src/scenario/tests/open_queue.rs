//! The open model of a [`World`](super::world::World): evenly spaced arrivals, the users who send them, and a
//! service with a queue. Times are whole µs since the start of the load.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use records::OpenCounts;

/// An arrival that starts later than this after it was due is late, µs.
const LATE_US: u64 = 10_000;
/// Time in which the service refuses a request, µs.
const SHED_US: u64 = 1000;

/// An answered request.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    /// Time since it was due, µs.
    pub response_us: u64,
    /// Whether it succeeded.
    pub ok: bool,
}

/// First come, first served, twice: an arrival waits for a user, and then for a slot of the service.
pub(super) struct OpenQueue {
    rate: f64,
    /// Requests that may wait for a slot; the others are refused.
    queue_limit: usize,
    /// When each user and each slot becomes free.
    users: BinaryHeap<Reverse<u64>>,
    slots: BinaryHeap<Reverse<u64>>,
    /// When the requests that wait for a slot get one.
    waiting: VecDeque<u64>,
    /// When the arrivals that were due are started.
    starting: VecDeque<u64>,
    /// The requests that are not answered, by the time of their answer and their number.
    under_way: BTreeMap<(u64, u64), Answer>,
    due: u64,
    started: u64,
    finished: u64,
    late: u64,
    late_max_us: u64,
}

impl OpenQueue {
    pub(super) fn new(rate: f64, users: u32, slots: f64, queue_limit: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
        let slots = slots as usize;
        Self {
            rate,
            queue_limit,
            users: (0..users).map(|_| Reverse(0)).collect(),
            slots: (0..slots).map(|_| Reverse(0)).collect(),
            waiting: VecDeque::new(),
            starting: VecDeque::new(),
            under_way: BTreeMap::new(),
            due: 0,
            started: 0,
            finished: 0,
            late: 0,
            late_max_us: 0,
        }
    }

    /// Lets the time pass until `now`, and returns the answers of that time.
    pub(super) fn advance(&mut self, now: u64, service_ms: fn(f64) -> u32) -> Vec<Answer> {
        loop {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let due = (1e6 * (self.due + 1) as f64 / self.rate) as u64;
            if due > now {
                break;
            }
            self.due += 1;
            self.arrive(due, service_ms);
        }
        while self.starting.pop_front_if(|at| *at <= now).is_some() {
            self.started += 1;
        }
        let later = self.under_way.split_off(&(now + 1, 0));
        let answers: Vec<Answer> = std::mem::replace(&mut self.under_way, later).into_values().collect();
        self.finished += answers.len() as u64;
        answers
    }

    fn arrive(&mut self, due: u64, service_ms: fn(f64) -> u32) {
        let Reverse(free) = self.users.pop().unwrap();
        let sent = due.max(free);
        while self.waiting.pop_front_if(|at| *at <= sent).is_some() {}
        let ok = self.waiting.len() < self.queue_limit;
        let answered = if ok {
            let Reverse(free) = self.slots.pop().unwrap();
            let served = sent.max(free);
            self.waiting.push_back(served);
            let answered = served + 1000 * u64::from(service_ms(served as f64 / 1e6));
            self.slots.push(Reverse(answered));
            answered
        } else {
            sent + SHED_US
        };
        self.users.push(Reverse(answered));
        self.starting.push_back(sent);
        self.late += u64::from(sent - due > LATE_US);
        self.late_max_us = self.late_max_us.max(sent - due);
        self.under_way.insert((answered, self.due), Answer { response_us: answered - due, ok });
    }

    pub(super) fn counts(&self) -> OpenCounts {
        OpenCounts {
            rate: self.rate,
            due: self.due,
            started: self.started,
            late: self.late,
            late_max_ms: self.late_max_us as f64 / 1000.0,
            skipped: 0,
            finished: Some(self.finished),
        }
    }
}

#[test]
fn a_queue_that_cannot_keep_up_grows_and_its_answers_become_slower() {
    // 4 slots of 100 ms: 40/s of 60/s.
    let mut queue = OpenQueue::new(60.0, 1000, 4.0, usize::MAX);
    let first = queue.advance(5_000_000, |_| 100);
    let second = queue.advance(10_000_000, |_| 100);
    let OpenCounts { due, started, finished, late, .. } = queue.counts();
    assert_eq!((due, started, late), (600, 600, 0), "a user was always free");
    let finished = finished.unwrap();
    assert_eq!(first.len() + second.len(), usize::try_from(finished).unwrap());
    assert!((390..=400).contains(&finished), "{finished}");
    let mean = |answers: &[Answer]| {
        answers.iter().map(|answer| answer.response_us).sum::<u64>() / answers.len() as u64
    };
    assert!(mean(&second) > 2 * mean(&first), "{} and {} µs", mean(&first), mean(&second));
}

#[test]
fn a_service_that_refuses_requests_keeps_up() {
    let mut queue = OpenQueue::new(174.0, 100, 4.0, 10);
    let answers = queue.advance(20_000_000, |_| 100);
    let refused = answers.iter().filter(|answer| !answer.ok).count();
    assert!(
        (0.76..0.78).contains(&(refused as f64 / answers.len() as f64)),
        "{refused} of {}",
        answers.len()
    );
    // 4 are served, 10 wait, and one is being refused.
    assert!(queue.counts().due - queue.counts().finished.unwrap() <= 15, "{:?}", queue.counts());
}

#[test]
fn an_arrival_waits_for_a_user() {
    // One user, 200 ms each: 5/s of 10/s.
    let mut queue = OpenQueue::new(10.0, 1, 4.0, usize::MAX);
    queue.advance(10_000_000, |_| 200);
    let counts = queue.counts();
    assert_eq!((counts.due, counts.started, counts.finished), (100, 50, Some(49)));
    assert_eq!(counts.late, 99, "every arrival but the first, whether it has started or not");
}
