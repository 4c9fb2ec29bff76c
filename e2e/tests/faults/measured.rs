//! A search for the capacity whose driver is killed after each probe: it measures no probe twice, and comes to an
//! answer that its records give. `cargo xtask test` runs it when nothing else uses the machine: a probe whose load
//! generator is at its limit would end the search.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::embedded::EmbeddedCluster;
use e2e::results::{attempts, scenario_id};
use e2e::tool::{Clock, say};
use rustix::process::Signal;
use serde_json::Value;

use crate::driver::{Driver, Ending};

/// The stub answers four requests at a time in 100 ms, so that about 20 users meet this objective.
const SETTINGS: &str = "\
replicas: [1]
workers: [1]
duration: 4s
max_duration: 8s
warmup: 0s
cooldown: 0s
spawn_rate: 50
objective: {p95_ms: 500}
capacity: {of: users, max_probes: 8}
";
const ENDS_WITHIN: Duration = Duration::from_mins(3);

#[test]
fn a_search_that_is_killed_after_each_probe_measures_none_twice() {
    let _clock = Clock::start("a_search_that_is_killed_after_each_probe_measures_none_twice");
    let folder = tempfile::Builder::new().prefix("locust-matrix-search-").tempdir().unwrap();
    let cluster = EmbeddedCluster::start(&folder.path().join("cluster")).unwrap();
    let settings = folder.path().join("matrix.yaml");
    std::fs::write(&settings, SETTINGS).unwrap();
    let mut run: Option<PathBuf> = None;
    let mut kills = 0;
    let ending = loop {
        let mut command = cluster.driver();
        command.args(["run", "--cluster-kind", "embedded", "--config"]).arg(&settings);
        match &run {
            Some(run) => command.arg("--resume").arg(run),
            None => command.arg("--results").arg(folder.path().join("results")),
        };
        let log = folder.path().join(format!("driver-{kills}.log"));
        let mut driver = Driver::start(&mut command, &log).unwrap();
        let recorded = run.as_deref().map_or(0, recorded);
        let deadline = Instant::now() + ENDS_WITHIN;
        while !driver.has_ended() && Instant::now() < deadline {
            run = run.or_else(|| first_run(&folder.path().join("results")));
            if run.as_deref().map_or(0, self::recorded) > recorded {
                driver.signal(Signal::KILL);
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        match driver.wait(ENDS_WITHIN) {
            Ending::Killed => {
                kills += 1;
                cluster.namespace().free_leases().unwrap();
            }
            ending => {
                say(&format!("after {kills} kills: {}", driver.last_lines()));
                break ending;
            }
        }
        assert!(kills <= 20, "the search goes on and on: {}", driver.last_lines());
    };
    let run = run.unwrap();
    // Goals are missed on purpose, on the upper side of the capacity.
    assert!(matches!(ending, Ending::Code(0 | 6)), "{ending}");
    assert!(kills >= 3, "{kills} kills");
    let records = attempts(&run);
    let probes: BTreeSet<_> =
        records.iter().map(|record| (scenario_id(record), e2e::results::attempt(record))).collect();
    assert_eq!(probes.len(), records.len(), "a probe is recorded twice");

    let answer = capacity(&run);
    assert_eq!(answer["capacities"][0]["outcome"], "known", "{answer}");
    assert_eq!(answer["capacities"][0]["probes"], count_of_scenarios(&records), "{answer}");
    std::fs::remove_file(run.join("capacity.json")).unwrap();
    let report = cluster.driver().arg("report").arg(&run).output().unwrap();
    assert_eq!(capacity(&run), answer, "{}", String::from_utf8_lossy(&report.stderr));
    cluster.end().unwrap();
}

fn count_of_scenarios(records: &[Value]) -> usize {
    records.iter().map(scenario_id).collect::<BTreeSet<_>>().len()
}

fn capacity(run: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(run.join("capacity.json")).unwrap()).unwrap()
}

fn first_run(results: &Path) -> Option<PathBuf> {
    let folder = std::fs::read_dir(results).ok()?.flatten().map(|entry| entry.path()).next()?;
    (recorded(&folder) > 0).then_some(folder)
}

/// The number of whole lines of the records.
fn recorded(run: &Path) -> usize {
    std::fs::read_to_string(run.join("results.jsonl")).map_or(0, |text| text.matches('\n').count())
}
