//! Whether the load generator was at its own limit: then the figures are its, not the service's.

use records::{HealthWindow, ms};

/// Share of its usable CPU from which a worker is at its limit. A worker runs on one core at most.
pub const CPU_LIMIT: f64 = 0.90;
/// Largest acceptable share of throttled CFS periods.
const THROTTLED: f64 = 0.01;
/// Largest acceptable P95 of the event loop's lateness, µs.
const LAG_US: u64 = 10_000;
/// Smallest gain in throughput that shows that the fewer workers were the limit. A smaller gain may be chance.
const GAIN: f64 = 1.10;

/// How close a worker was to its limits over a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    /// CPU used, as a share of what it can use: one core, or its limit where that is less.
    pub cpu: f64,
    /// Share of its cgroup's periods that ended throttled.
    pub throttled: Option<f64>,
    /// P95 of its event loop's lateness, µs.
    pub lag_us: Option<u64>,
}

impl Saturation {
    /// The saturation of a worker over a window; `None` for a window without length.
    pub fn of(health: &HealthWindow) -> Option<Self> {
        let usable = health.cpu_limit.unwrap_or(1.0).min(1.0);
        let throttled = match (health.periods, health.throttled) {
            (Some(periods), Some(throttled)) if periods > 0 => Some(throttled as f64 / periods as f64),
            _ => None,
        };
        (health.seconds > 0.0 && usable > 0.0).then(|| Self {
            cpu: health.cpu_seconds / health.seconds / usable,
            throttled,
            lag_us: health.lag.quantile(0.95),
        })
    }

    /// The limits that it reached, in words; empty if it reached none.
    pub fn limits(&self) -> Vec<String> {
        let cpu = (self.cpu >= CPU_LIMIT).then(|| format!("used {:.0} % of its CPU", 100.0 * self.cpu));
        let throttled = self.throttled.filter(|share| *share > THROTTLED);
        let throttled =
            throttled.map(|share| format!("was throttled in {:.1} % of its periods", 100.0 * share));
        let lag = self.lag_us.filter(|lag| *lag > LAG_US);
        let lag = lag.map(|lag| format!("had an event loop late by {} ms (P95)", ms(lag)));
        [cpu, throttled, lag].into_iter().flatten().collect()
    }
}

/// Throughput with a number of workers, requests/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throughput {
    /// From all replicas together.
    pub total: f64,
    /// From the busiest replica; `None` if there is only one, or if their own counts are not known.
    pub busiest: Option<f64>,
}

/// The paired test of the worker axis: how throughput changes with more workers and the same users.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MoreWorkers {
    /// Throughput with more workers over that with fewer.
    pub gain: f64,
    /// The same of the busiest replica alone.
    pub busiest: Option<f64>,
}

impl MoreWorkers {
    /// Compares the throughput of fewer and of more workers, all else the same.
    pub fn of(fewer: Throughput, more: Throughput) -> Option<Self> {
        (fewer.total > 0.0).then(|| Self {
            gain: more.total / fewer.total,
            busiest: fewer.busiest.zip(more.busiest).map(|(fewer, more)| more / fewer),
        })
    }

    /// Whether the fewer workers were the limit.
    pub fn limited(&self) -> bool {
        self.gain > GAIN && self.busiest.is_none_or(|gain| gain > GAIN)
    }

    /// Whether the gain comes from connections that spread differently over the replicas. They go to replicas at
    /// random, and a more even spread gives more throughput; but the busiest replica, which was full, gives no more.
    pub fn by_connections(&self) -> bool {
        self.gain > GAIN && !self.limited()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use records::Histogram;

    /// 10 s of a worker that is well.
    fn well() -> HealthWindow {
        HealthWindow {
            seconds: 10.0,
            cpu_seconds: 4.0,
            cores: 2,
            cpu_limit: None,
            periods: Some(100),
            throttled: Some(1),
            lag: Histogram::of_ms([(0, 95), (60, 5)]),
        }
    }

    fn limits(health: &HealthWindow) -> Vec<String> {
        Saturation::of(health).unwrap().limits()
    }

    #[test]
    fn a_worker_that_is_well_has_no_limit() {
        assert_eq!(limits(&well()), [""; 0]);
    }

    #[test]
    fn each_limit_is_told() {
        assert_eq!(limits(&HealthWindow { cpu_seconds: 9.0, ..well() }), ["used 90 % of its CPU"]);
        // Half a core is all it may have: Locust's own 90 % of a core would never be reached.
        let half = HealthWindow { cpu_seconds: 4.6, cpu_limit: Some(0.5), ..well() };
        assert_eq!(limits(&half), ["used 92 % of its CPU"]);
        let two = HealthWindow { cpu_seconds: 9.5, cpu_limit: Some(2.0), ..well() };
        assert_eq!(limits(&two), ["used 95 % of its CPU"], "one process runs on one core");
        assert_eq!(
            limits(&HealthWindow { throttled: Some(2), ..well() }),
            ["was throttled in 2.0 % of its periods"]
        );
        let late = Histogram::of_ms([(0, 94), (11, 6)]);
        assert_eq!(
            limits(&HealthWindow { lag: late, ..well() }),
            ["had an event loop late by 11.0 ms (P95)"]
        );
    }

    #[test]
    fn what_a_kernel_does_not_tell_is_no_limit() {
        let silent = HealthWindow { periods: None, throttled: None, lag: Histogram::default(), ..well() };
        assert_eq!(limits(&silent), [""; 0]);
        assert_eq!(limits(&HealthWindow { periods: Some(0), throttled: Some(0), ..well() }), [""; 0]);
        assert_eq!(Saturation::of(&HealthWindow { seconds: 0.0, ..well() }), None);
    }

    fn more(fewer: (f64, Option<f64>), more: (f64, Option<f64>)) -> Option<MoreWorkers> {
        let throughput = |(total, busiest)| Throughput { total, busiest };
        MoreWorkers::of(throughput(fewer), throughput(more))
    }

    #[test]
    fn more_workers_that_bring_more_were_needed() {
        assert!(more((100.0, None), (130.0, None)).unwrap().limited());
        assert!(more((100.0, Some(60.0)), (130.0, Some(70.0))).unwrap().limited());
        let same = more((100.0, None), (105.0, None)).unwrap();
        assert!(!same.limited() && !same.by_connections());
        assert_eq!(more((0.0, None), (105.0, None)), None);
    }

    #[test]
    fn more_from_the_other_replicas_alone_is_another_draw_of_connections() {
        // Two replicas that do 40/s each: seven of ten users on one of them, then five.
        let drawn = more((68.2, Some(40.0)), (78.9, Some(39.6))).unwrap();
        assert!(drawn.by_connections() && !drawn.limited(), "{drawn:?}");
    }

    proptest! {
        #[test]
        fn more_cpu_is_never_less_of_a_limit(cpu in 0.0_f64..20.0, more in 0.0_f64..20.0, limit in 0.1_f64..4.0) {
            let at = |cpu_seconds| limits(&HealthWindow { cpu_seconds, cpu_limit: Some(limit), ..well() });
            prop_assert!(at(cpu + more).len() >= at(cpu).len());
        }
    }
}
