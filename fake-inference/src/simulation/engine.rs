//! The event loop of a simulation.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::{Arrivals, Connections, Load, Request, SHED_SECONDS, Simulation, Think, Trace};
use crate::random::Stream;
use crate::service_time::{Failures, ServiceTime};

/// Nanoseconds from the empty system. Integers have an order, and the same one on every machine.
type Time = u64;

/// Events at the same time happen in this order, and then in the order of the users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The request of this user is answered.
    Answer(usize),
    /// This user has thought and sends its next request.
    Send(usize),
}

/// One user, and its request if one is under way.
#[derive(Debug, Clone, Copy)]
struct User {
    replica: usize,
    due: Time,
    started: Time,
    ok: bool,
    has_slot: bool,
}

#[derive(Debug, Default)]
struct Replica {
    busy: usize,
    waiting: VecDeque<usize>,
}

/// Random numbers for one purpose, one after the other.
struct Draws {
    stream: Stream,
    next: u64,
}

impl Draws {
    fn new(seed: u64, purpose: u64) -> Self {
        Self { stream: Stream::new(seed, purpose), next: 0 }
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        self.next += 1;
        self.stream.unit(self.next)
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }
}

struct Engine<'a> {
    setup: &'a Simulation,
    service: ServiceTime,
    failures: Failures,
    thinking: Draws,
    users: Vec<User>,
    replicas: Vec<Replica>,
    events: BinaryHeap<Reverse<(Time, Event)>>,
    /// Number of requests whose service has begun: the index of the next draw.
    begun: u64,
    end: Time,
    /// The open model's free users, the one that has been free for the longest time first.
    free: VecDeque<usize>,
    /// The open model's requests that no user has sent yet: when they were due.
    unsent: VecDeque<Time>,
    trace: Trace,
}

impl Simulation {
    /// Runs it. Requests that were sent in time are finished, however long that takes; requests of the
    /// open model that no user has sent by the end are never sent.
    pub fn run(&self) -> Trace {
        run(self)
    }
}

fn run(setup: &Simulation) -> Trace {
    let replica_of_user = spread(setup);
    let mut users_of_replica = vec![0; setup.replicas.max(1)];
    for &replica in &replica_of_user {
        users_of_replica[replica] += 1;
    }
    let idle = |replica| User { replica, due: 0, started: 0, ok: true, has_slot: false };
    let engine = Engine {
        setup,
        service: setup.service.model(setup.seed),
        failures: Failures::new(setup.failures, setup.seed),
        thinking: Draws::new(setup.seed, 9),
        users: replica_of_user.into_iter().map(idle).collect(),
        replicas: users_of_replica.iter().map(|_| Replica::default()).collect(),
        events: BinaryHeap::new(),
        begun: 0,
        end: nanos(setup.warm_up + setup.seconds),
        free: VecDeque::new(),
        unsent: VecDeque::new(),
        trace: Trace { requests: Vec::new(), users: users_of_replica, due: Vec::new(), started: Vec::new() },
    };
    match setup.load {
        Load::Closed { ramp, .. } => engine.run_closed(ramp),
        Load::Open { rate, arrivals, .. } => engine.run_open(rate, arrivals),
    }
}

/// The replica of each user.
fn spread(setup: &Simulation) -> Vec<usize> {
    let (users, replicas) = (setup.load.users(), setup.replicas.max(1));
    match &setup.connections {
        Connections::Even => (0..users).map(|user| user % replicas).collect(),
        Connections::Random => {
            let stream = Stream::new(setup.seed, 10);
            let count = u64::try_from(replicas).unwrap_or(1);
            let replica = |index| usize::try_from(stream.bits(index) % count).unwrap_or(0);
            (0..).take(users).map(replica).collect()
        }
        Connections::Given(split) => {
            let dealt = split.iter().take(replicas).enumerate();
            let dealt = dealt.flat_map(|(replica, &own)| std::iter::repeat_n(replica, own));
            dealt.chain(std::iter::repeat(replicas - 1)).take(users).collect()
        }
    }
}

impl Engine<'_> {
    fn run_closed(mut self, ramp: f64) -> Trace {
        let users = self.users.len();
        for user in 0..users {
            self.send_at(nanos(ramp * user as f64 / users as f64), user);
        }
        while let Some(Reverse((now, event))) = self.events.pop() {
            match event {
                Event::Send(user) => {
                    self.trace.due.push(self.seconds(now));
                    self.send(user, now, now);
                }
                Event::Answer(user) => {
                    self.answer(user, now);
                    let think = nanos(self.think());
                    self.send_at(now.saturating_add(think), user);
                }
            }
        }
        self.trace
    }

    fn run_open(mut self, rate: f64, arrivals: Arrivals) -> Trace {
        let mut draws = Draws::new(self.setup.seed, 11);
        let mut gap = || {
            nanos(match arrivals {
                Arrivals::Poisson => draws.exponential(1.0 / rate),
                Arrivals::Constant => 1.0 / rate,
            })
            .max(1)
        };
        self.free = (0..self.users.len()).collect();
        let mut arrival = gap();
        loop {
            let next = self.events.peek().map(|Reverse((at, _))| *at);
            if arrival < self.end && next.is_none_or(|at| arrival < at) {
                self.trace.due.push(self.seconds(arrival));
                self.unsent.push_back(arrival);
                self.send_waiting(arrival);
                arrival += gap();
            } else if let Some(Reverse((now, Event::Answer(user) | Event::Send(user)))) = self.events.pop() {
                self.answer(user, now);
                self.free.push_back(user);
                self.send_waiting(now);
            } else {
                return self.trace;
            }
        }
    }

    /// Lets free users send what waits for one.
    fn send_waiting(&mut self, now: Time) {
        if now < self.end
            && !self.free.is_empty()
            && let Some(due) = self.unsent.pop_front()
            && let Some(user) = self.free.pop_front()
        {
            self.send(user, due, now);
        }
    }

    fn send_at(&mut self, at: Time, user: usize) {
        if at < self.end {
            self.events.push(Reverse((at, Event::Send(user))));
        }
    }

    fn send(&mut self, user: usize, due: Time, now: Time) {
        self.trace.started.push(self.seconds(now));
        let request = &mut self.users[user];
        (request.due, request.started) = (due, now);
        let replica = &mut self.replicas[request.replica];
        if replica.busy < self.setup.slots.max(1) {
            self.begin(user, now);
        } else if replica.waiting.len() < self.setup.queue_limit {
            replica.waiting.push_back(user);
        } else {
            (request.ok, request.has_slot) = (false, false);
            self.events.push(Reverse((now + nanos(SHED_SECONDS), Event::Answer(user))));
        }
    }

    fn begin(&mut self, user: usize, now: Time) {
        let request = &mut self.users[user];
        let replica = &mut self.replicas[request.replica];
        replica.busy += 1;
        let time = self.service.draw(self.begun, replica.busy + replica.waiting.len());
        (request.ok, request.has_slot) = (!self.failures.hits(self.begun), true);
        self.begun += 1;
        let time = Time::try_from(time.as_nanos()).unwrap_or(Time::MAX);
        self.events.push(Reverse((now.saturating_add(time), Event::Answer(user))));
    }

    fn answer(&mut self, user: usize, now: Time) {
        let request = self.users[user];
        self.trace.requests.push(Request {
            due_s: self.seconds(request.due),
            started_s: self.seconds(request.started),
            finished_s: self.seconds(now),
            replica: request.replica,
            ok: request.ok,
        });
        if request.has_slot {
            let replica = &mut self.replicas[request.replica];
            replica.busy -= 1;
            if let Some(next) = replica.waiting.pop_front() {
                self.begin(next, now);
            }
        }
    }

    fn think(&mut self) -> f64 {
        let Load::Closed { think, .. } = self.setup.load else {
            return 0.0;
        };
        match think {
            Think::None => 0.0,
            Think::Constant(time) => time,
            Think::Exponential(mean) => self.thinking.exponential(mean),
            Think::OtherRequests { share, each } => {
                let mut time = each;
                while self.thinking.unit() >= share {
                    time += each;
                }
                time
            }
        }
    }

    /// After the end of the warm-up.
    fn seconds(&self, time: Time) -> f64 {
        time as f64 / 1e9 - self.setup.warm_up
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a simulation is short, and the cast saturates"
)]
fn nanos(seconds: f64) -> Time {
    (seconds * 1e9) as Time
}
