//! What a closed loop over one server must give, by simulation: discrete events, no clock.
//!
//! N users send a request each, wait for the answer, and send the next. Predictions queue for the
//! slots, first come, first served; every other request takes only the client's own time.

pub mod theory;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::profile::Profile;
use crate::random::Stream;
use crate::service_time::ServiceTime;

/// What a user does.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Share of its requests that are predictions, above 0 and up to 1.
    pub predictions: f64,
    /// Time that each request costs beside its service, s.
    pub overhead: f64,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Length of the window, s.
    pub seconds: f64,
    /// Response time of every prediction that was answered in it, s.
    pub responses: Vec<f64>,
}

impl Outcome {
    /// Predictions per second.
    pub fn throughput(&self) -> f64 {
        self.responses.len() as f64 / self.seconds
    }

    /// Mean response time, s.
    pub fn mean(&self) -> f64 {
        self.responses.iter().sum::<f64>() / self.responses.len() as f64
    }

    /// A percentile (`share` from 0 to 1) by the nearest rank, s; 0 without responses.
    pub fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.responses.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (1..=sorted.len()).find(|&rank| rank as f64 >= share * sorted.len() as f64 - 1e-9);
        rank.and_then(|rank| sorted.get(rank - 1)).copied().unwrap_or(0.0)
    }
}

/// Nanoseconds, which unlike floats have an order.
type Time = u64;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A user sends a prediction.
    Sent,
    /// One that was sent then is answered.
    Answered(Time),
}

/// Runs `users` users against `slots` slots and looks at the last nine tenths of `seconds`.
pub fn simulate(
    service: &ServiceTime,
    slots: usize,
    users: usize,
    client: Client,
    seconds: f64,
    seed: u64,
) -> Outcome {
    let stream = Stream::new(seed, 9);
    let mut draws = 0_u64;
    let mut unit = || {
        draws += 1;
        stream.unit(draws)
    };
    let (end, open) = (nanos(seconds), nanos(seconds * 0.1));
    let mut events: BinaryHeap<Reverse<(Time, Event)>> = BinaryHeap::new();
    for _ in 0..users {
        events.push(Reverse((nanos(unit()), Event::Sent)));
    }
    let mut waiting: VecDeque<Time> = VecDeque::new();
    let (mut busy, mut begun) = (0_usize, 0_u64);
    let mut outcome = Outcome { seconds: seconds * 0.9, responses: Vec::new() };
    while let Some(Reverse((now, event))) = events.pop() {
        if now > end {
            break;
        }
        match event {
            Event::Sent => waiting.push_back(now),
            Event::Answered(sent) => {
                busy -= 1;
                if now > open {
                    outcome.responses.push((now - sent) as f64 / 1e9);
                }
                let mut pause = client.overhead;
                while unit() >= client.predictions {
                    pause += client.overhead;
                }
                events.push(Reverse((now + nanos(pause), Event::Sent)));
            }
        }
        while busy < slots
            && let Some(sent) = waiting.pop_front()
        {
            busy += 1;
            let time = service.draw(begun, busy + waiting.len());
            let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2);
            events.push(Reverse((now.saturating_add(time), Event::Answered(sent))));
            begun += 1;
        }
    }
    outcome
}

/// The replicas of a profile, each with so many users of its own and a seed of its own, one prediction at a
/// time: what all of them give together.
pub fn simulate_replicas(profile: Profile, users: &[usize], client: Client, seconds: f64) -> Outcome {
    let mut all = Outcome::default();
    for (seed, &users) in (1..).zip(users) {
        let outcome = simulate(&ServiceTime::of_profile(profile, seed), 1, users, client, seconds, seed);
        all.seconds = outcome.seconds;
        all.responses.extend(outcome.responses);
    }
    all
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of a simulation are few"
)]
fn nanos(seconds: f64) -> Time {
    (seconds * 1e9) as Time
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::service_time::Shape;

    const PREDICT: Client = Client { predictions: 1.0, overhead: 0.0 };

    #[test]
    fn a_constant_service_has_the_bounds_of_a_closed_loop() {
        let service = ServiceTime::new(Shape::Constant, Duration::from_millis(100), 0.0, 1);
        for (users, throughput, response) in [(1, 10.0, 0.1), (4, 40.0, 0.1), (12, 40.0, 0.3)] {
            let outcome = simulate(&service, 4, users, PREDICT, 100.0, 1);
            assert!((outcome.throughput() / throughput - 1.0).abs() < 0.01, "{users} users");
            assert!((outcome.mean() - response).abs() < 1e-6, "{users} users");
            assert!((outcome.percentile(0.95) - response).abs() < 1e-6, "{users} users");
        }
    }

    #[test]
    fn an_exponential_service_with_one_slot_has_erlang_responses() {
        // 10 users are always in the system: a response is the sum of 10 services, whose cv is 1/√10.
        let service = ServiceTime::new(Shape::Exponential, Duration::from_millis(100), 1.0, 3);
        let outcome = simulate(&service, 1, 10, PREDICT, 20_000.0, 3);
        assert!((outcome.throughput() / 10.0 - 1.0).abs() < 0.02, "{}", outcome.throughput());
        assert!((outcome.mean() - 1.0).abs() < 0.02, "{}", outcome.mean());
        // The 95th percentile of Erlang(10) with mean 1 (chi-square with 20 degrees / 20: 31.41 / 20).
        assert!((outcome.percentile(0.95) - 1.5705).abs() < 0.04, "{}", outcome.percentile(0.95));
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let outcome = Outcome { seconds: 1.0, responses: (1..=100).rev().map(f64::from).collect() };
        assert!((outcome.percentile(0.95) - 95.0).abs() < 1e-12);
        assert!((outcome.percentile(1.0) - 100.0).abs() < 1e-12);
        assert!(Outcome::default().percentile(0.5).abs() < 1e-12);
    }
}
