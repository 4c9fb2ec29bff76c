//! Disturbances that a load test should detect.
//!
//! Each of the three changes the service time and nothing else. With t the time since the process
//! started:
//!
//! | disturbance | a service with drawn time w that begins at t |
//! |---|---|
//! | a warm-up of N s from a factor F | takes w · (1 + (F − 1) · max(0, 1 − t / N)) |
//! | a slowdown by a factor F | takes w · F, if this process is one of the slow ones |
//! | a stall of D every P | makes no progress from k · P to k · P + D, k = 1, 2, … |
//!
//! The host name (in a pod, the name of the pod) and the seed decide whether a process is slow.

use std::time::Duration;

use crate::random::Stream;

/// The disturbances of one process.
#[derive(Debug, Clone, Copy)]
pub struct Disturbance {
    /// Length of the warm-up; 0 is no warm-up.
    pub warm_up: Duration,
    /// Factor on the service time when the process starts.
    pub warm_up_factor: f64,
    /// Length of a stall; 0 is none.
    pub stall: Duration,
    /// From the beginning of one stall to that of the next.
    pub stall_every: Duration,
    /// Factor on every service time.
    pub slowdown: f64,
}

/// Whether the process on this host is slow, if this share of processes (0 to 1) is slow.
pub fn is_slow(host: &str, share: f64, seed: u64) -> bool {
    let index = host.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Stream::new(seed, 3).unit(index) < share
}

impl Disturbance {
    /// The time that a service takes whose drawn time is `work` and that begins `since` after the start
    /// of the process.
    pub fn stretch(&self, since: Duration, work: Duration) -> Duration {
        let warm = if self.warm_up.is_zero() {
            1.0
        } else {
            let left = 1.0 - since.as_secs_f64() / self.warm_up.as_secs_f64();
            1.0 + (self.warm_up_factor - 1.0) * left.max(0.0)
        };
        let factor = warm * self.slowdown;
        let stretched = Duration::try_from_secs_f64(work.as_secs_f64() * factor).unwrap_or(work);
        self.with_stalls(since, stretched)
    }

    fn with_stalls(&self, since: Duration, work: Duration) -> Duration {
        let (stall, every) = (self.stall.as_secs_f64(), self.stall_every.as_secs_f64());
        if stall <= 0.0 || every <= stall {
            return work;
        }
        let (mut at, mut left) = (since.as_secs_f64(), work.as_secs_f64());
        loop {
            let into = at % every;
            // Each period begins with a stall, except the first one.
            if at >= every && into < stall {
                at += stall - into;
            }
            let free = every - at % every;
            if left < free {
                return Duration::try_from_secs_f64(at + left - since.as_secs_f64()).unwrap_or(work);
            }
            left -= free;
            at += free;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Disturbance = Disturbance {
        warm_up: Duration::ZERO,
        warm_up_factor: 1.0,
        stall: Duration::ZERO,
        stall_every: Duration::ZERO,
        slowdown: 1.0,
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn without_a_disturbance_a_service_takes_its_drawn_time() {
        assert_eq!(NONE.stretch(ms(123), ms(100)), ms(100));
    }

    #[test]
    fn a_service_is_slower_until_the_warm_up_is_over() {
        let cold = Disturbance { warm_up: ms(10_000), warm_up_factor: 3.0, ..NONE };
        assert_eq!(cold.stretch(ms(0), ms(100)), ms(300));
        assert_eq!(cold.stretch(ms(5_000), ms(100)), ms(200));
        assert_eq!(cold.stretch(ms(10_000), ms(100)), ms(100));
        assert_eq!(cold.stretch(ms(60_000), ms(100)), ms(100));
    }

    #[test]
    fn a_stall_delays_services_that_run_or_begin_in_it() {
        let stalls = Disturbance { stall: ms(1_000), stall_every: ms(10_000), ..NONE };
        let close = |since, work, expected| {
            let took = stalls.stretch(ms(since), ms(work)).as_secs_f64();
            assert!((took - ms(expected).as_secs_f64()).abs() < 1e-6, "{since} ms: {took} s");
        };
        close(0, 100, 100); // No stall at the very beginning.
        close(9_950, 100, 1_100);
        close(10_000, 100, 1_100);
        close(10_400, 100, 700);
        close(11_000, 100, 100);
        close(19_950, 100, 1_100);
        close(5_000, 20_000, 22_000); // Two of them on the way.
    }

    #[test]
    fn the_host_name_decides_which_processes_are_slow() {
        let slow = |host: &str, share| is_slow(host, share, 0);
        let hosts: Vec<String> = (0..400).map(|n| format!("inference-7d9f-{n}")).collect();
        let count = hosts.iter().filter(|host| slow(host, 0.5)).count();
        assert!((150..=250).contains(&count), "{count} of 400");
        assert!(hosts.iter().all(|host| slow(host, 1.0) && !slow(host, 0.0)));
        assert_eq!(slow("a", 0.5), slow("a", 0.5));
        assert_eq!(Disturbance { slowdown: 4.0, ..NONE }.stretch(ms(0), ms(25)), ms(100));
    }
}
