//! Records of a matrix on a service that is computed and not measured: it fills up, and its verdicts are of every kind.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use records::{
    Endpoint, Environment, Histogram, Interval, Mode, Objective, Provenance, Question, Record, Replica,
    Sample, Scenario, StoppingRule, Unmeasured, UnmeasuredKind, VERSION, Window, WorkerHealth, three_digits,
};

/// Length of each window, s.
const WINDOW_S: u32 = 120;
/// Requests per second that one replica serves.
const RATE: f64 = 95.0;
/// Response time without a queue, ms.
const SERVICE_MS: f64 = 100.0;

/// The records of every combination, in the order of the plan. With `samples`, each has one per second.
pub(crate) fn matrix(replicas: &[u32], workers: &[u32], users: &[u32], samples: bool) -> Vec<Record> {
    let mut records = Vec::new();
    for replicas in replicas {
        for workers in workers {
            for users in users {
                let index = records.len();
                records.push(record(index, *replicas, *workers, *users, samples));
            }
        }
    }
    records
}

/// Gives some rows another verdict, so that a report shows every kind of them.
pub(crate) fn spoil(records: &mut [Record]) {
    let every = (records.len() / 6).max(1);
    for (at, record) in records.iter_mut().enumerate().filter(|(at, _)| at % every == every - 1) {
        match at / every % 5 {
            0 => record.workers[0].cpu_percent = 97.0,
            1 => {
                let reason = "the pods of Deployment inference are not ready: CrashLoopBackOff";
                record.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, reason));
                (record.window, record.whole_run) = (None, None);
                (record.intervals, record.samples) = (Vec::new(), Vec::new());
            }
            2 => record.disturbed = Some("worker locust-worker-0 was replaced while it was measured".into()),
            3 => fail(record),
            _ => record.replicas[0]
                .requests
                .iter_mut()
                .flat_map(BTreeMap::values_mut)
                .for_each(|count| *count *= 4),
        }
    }
}

/// Lets a twentieth of the requests fail.
fn fail(record: &mut Record) {
    let Some(window) = &mut record.window else { return };
    for counts in std::iter::once(&mut window.aggregated).chain(&mut window.endpoints) {
        counts.failures = counts.requests / 20;
        counts.succeeded = counts.succeeded.iter().map(|(us, count)| (us, count - count / 20)).collect();
    }
    record.errors = vec![("POST /predict: 503 Service Unavailable".into(), 412)];
    for sample in &mut record.samples {
        sample.failures = sample.requests / 20;
    }
}

fn record(index: usize, replicas: u32, workers: u32, users: u32, with_samples: bool) -> Record {
    let capacity = RATE * f64::from(replicas);
    let offered = f64::from(users) * 1000.0 / SERVICE_MS;
    let rps = capacity * (1.0 - (-offered / capacity).exp());
    let mean_ms = f64::from(users) * 1000.0 / rps;
    let mut random = Random(0x9e37_79b9 + index as u64);
    let intervals: Vec<Interval> = (0..5).map(|_| interval(rps, mean_ms, &mut random)).collect();
    let sum = Interval::sum(&intervals);
    let counts = |method: &str, name: &str| Endpoint {
        method: method.into(),
        name: name.into(),
        requests: sum.requests,
        failures: 0,
        total_ms: sum.total_ms,
        histogram: sum.primary.clone(),
        succeeded: sum.primary.clone(),
        from_send: None,
    };
    let window = Window {
        seconds: f64::from(WINDOW_S),
        cut_spread_ms: 1.2,
        aggregated: counts("", "Aggregated"),
        endpoints: vec![counts("POST", "/predict")],
    };
    let started_at = Timestamp::UNIX_EPOCH
        + SignedDuration::from_secs(1_780_000_000 + 150 * i64::try_from(index).unwrap_or(0));
    Record {
        version: VERSION,
        run_id: "0197a3c2-5f1e-7c44-9c1d-3a8d1f0e4b77".into(),
        plan_hash: "6a2f41c09d7e83b5".into(),
        scenario: Scenario {
            id: format!("closed-r{replicas}-w{workers}-u{users}-1"),
            index,
            mode: Mode::Closed,
            replicas,
            workers,
            users,
            rate: None,
            repeat: 1,
            drift: false,
        },
        attempt: 1,
        environment: environment().into(),
        started_at,
        finished_at: started_at + SignedDuration::from_secs(145),
        timings_ms: [
            ("scale", 1210),
            ("ready", 2330),
            ("ramp", 10_020),
            ("warmup", 2000),
            ("open", 90),
            ("window", 120_010),
            ("close", 410),
            ("drain", 1020),
        ]
        .map(|(phase, ms)| (phase.to_owned(), ms))
        .into(),
        window: Some(window.clone()),
        whole_run: Some(window),
        stopping_rule: Some(StoppingRule {
            users: Some(users),
            think_s: 0.0,
            duration_s: f64::from(WINDOW_S),
            stop_early_after_s: None,
            most_s: 240.0,
            exact: true,
            agreeing: 5,
            resolution_us: 1,
            quantiles: vec![0.95],
        }),
        objective: Objective { p95_ms: Some(2500), ..Objective::default() },
        open: None,
        membership: None,
        disturbed: None,
        impossible: 0,
        folded: 0,
        resets: 0,
        cut_off: 0,
        exceptions: Vec::new(),
        unmeasured: None,
        samples: if with_samples { samples(rps, mean_ms, users, &mut random) } else { Vec::new() },
        replicas: (0..replicas).map(|at| replica(at, sum.requests / u64::from(replicas))).collect(),
        workers: (0..workers).map(worker).collect(),
        errors: Vec::new(),
        intervals,
        left_out: Vec::new(),
    }
}

fn environment() -> Environment {
    Environment {
        cluster: "kind".into(),
        target: "http://inference:8000".into(),
        primary: "POST /predict".into(),
        images: BTreeMap::from([
            ("inference".into(), "fake-inference:4b1c22e07a".into()),
            ("locust-worker".into(), "locustio/locust:2.46.6".into()),
        ]),
        image_ids: BTreeMap::new(),
        templates: BTreeMap::new(),
        limits: BTreeMap::new(),
        generator: "Locust 2.46.6".into(),
        percentile_digits: 3,
        order_seed: None,
        question: Question::default(),
        provenance: Provenance {
            driver: "0.1.0".into(),
            kubernetes: "v1.34.0".into(),
            kernel: "Linux 6.1.0 x86_64".into(),
            nodes: vec!["locust-matrix-control-plane".into()],
            ..Provenance::default()
        },
    }
}

/// 24 s in which the service answers at this rate.
fn interval(rps: f64, mean_ms: f64, random: &mut Random) -> Interval {
    let seconds = f64::from(WINDOW_S) / 5.0;
    let wanted = rps * seconds;
    let mut responses = BTreeMap::new();
    let (mut requests, mut total_ms) = (0_u64, 0.0);
    while (requests as f64) < wanted {
        // The sum of twelve numbers between 0 and 1 is close to a normal distribution.
        let normal: f64 = (0..12).map(|_| random.next()).sum::<f64>() - 6.0;
        let ms = mean_ms * (0.22 * normal - 0.024).exp();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a response time")]
        let us = (1000.0 * ms) as u64;
        *responses.entry(three_digits(us)).or_default() += 1;
        (requests, total_ms) = (requests + 1, total_ms + ms);
    }
    let primary: Histogram = responses.into_iter().collect();
    // Little's law holds exactly.
    let total_ms = total_ms * (mean_ms * requests as f64) / total_ms;
    Interval {
        seconds,
        requests,
        total_ms,
        waited_s: None,
        succeeded: Some(primary.clone()),
        primary,
        arrivals: None,
    }
}

fn samples(rps: f64, mean_ms: f64, users: u32, random: &mut Random) -> Vec<Sample> {
    let mut requests = 0.0;
    let sample = |at: u32| {
        requests += rps * (0.92 + 0.16 * random.next());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
        let (count, us) = (requests as u64, (1000.0 * mean_ms * (1.35 + 0.2 * random.next())) as u64);
        Sample {
            at: f64::from(at),
            requests: count,
            failures: 0,
            p50_us: Some(three_digits(us * 2 / 3)),
            p95_us: Some(three_digits(us)),
            users,
        }
    };
    (1..=WINDOW_S).map(sample).collect()
}

fn replica(at: u32, requests: u64) -> Replica {
    Replica {
        pod: format!("inference-6d5f9c7b8d-{at:05}"),
        requests: Some([("/predict 200".to_owned(), requests)].into()),
        under_way: Some(24.5),
        readings: 5,
    }
}

fn worker(at: u32) -> WorkerHealth {
    WorkerHealth {
        id: format!("locust-worker-{at}_a1b2c3"),
        cpu_percent: 31.0 + f64::from(at),
        memory_bytes: 61 << 20,
        opening: None,
        closing: None,
    }
}

/// A linear congruential generator: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
