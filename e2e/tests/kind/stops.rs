//! Runs that do not come to their end by themselves.

use std::process::Command;
use std::time::Duration;

use e2e::results::{assert_exact, only_run, records, rows};
use e2e::tool::{Running, must};
use rustix::process::Signal;

use crate::DOWN;
use crate::kept::{Kept, e2e, settings};

/// The API server falls silent in the middle of a window: a run from outside has lost its way in. It says
/// so in time, and what was recorded is on this side already.
pub(crate) fn a_silent_api_server_ends_the_run(kept: &Kept<'_>) {
    let text = "{replicas: [1], workers: [1], users: [2, 4], duration: 8s, cooldown: 0s, spawn_rate: 20}";
    let matrix = settings(kept.folder, text);
    let results = kept.folder.join("silent-api");
    let mut running = Running::start(&mut kept.sweep(&matrix, &results));
    running.await_line("[2/2] replicas", Duration::from_mins(1));
    running.await_line("RPS:", Duration::from_mins(1));
    must(Command::new("docker").args(["pause", &kept.node()]));
    let begun = std::time::Instant::now();
    let ended = running.finish();
    let took = begun.elapsed();
    must(Command::new("docker").args(["unpause", &kept.node()]));
    assert_eq!(ended.code, Some(4));
    assert!(ended.err.contains("does not answer"), "{}", ended.err);
    assert!(ended.err.contains("kubectl scale deployment"), "how to put back what was scaled: {}", ended.err);
    // 10 s of silence, a minute until the load has stopped by itself, 20 s for putting the replicas back;
    // each call may be on its way for 15 s when the time is over.
    assert!(took < Duration::from_mins(2), "{took:?}");
    assert_eq!(records(&only_run(&results)).len(), 1, "the first scenario is kept");
    must(&mut kept.kubectl(&["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s"]));
}

/// SIGKILL of the driver in the middle of a scenario: the Job's next pod stops the load that is left,
/// goes on, and records every scenario once.
pub(crate) fn a_killed_driver_is_resumed(kept: &Kept<'_>) {
    let text = "{replicas: [1, 2], workers: [2], users: [10, 20], duration: 5s, max_duration: 30s, cooldown: 1s, spawn_rate: 20}";
    let matrix = settings(kept.folder, text);
    let mut running = Running::start(&mut kept.job(&matrix));
    running.await_line("[2/4] replicas", Duration::from_mins(2));
    running.await_line("RPS:", Duration::from_mins(1));
    must(Command::new("docker").args([
        "exec",
        &kept.node(),
        "pkill",
        "-KILL",
        "--full",
        "^/locust-matrix run",
    ]));
    let ended = running.finish();
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("after exit code 137"), "the first pod was killed");
    assert!(ended.err.contains("1 recorded already"), "the second one resumed");
    let results = kept.folder.join("killed");
    must(&mut kept.driver(&["fetch", "--results", results.to_str().unwrap()]));
    let records = records(&only_run(&results));
    let ids: Vec<_> = records.iter().map(|record| record["scenario"]["id"].as_str().unwrap()).collect();
    let expected = ["closed-r1-w2-u10-1", "closed-r1-w2-u20-1", "closed-r2-w2-u10-1", "closed-r2-w2-u20-1"];
    assert_eq!(ids, expected);
    records.iter().for_each(assert_exact);
}

/// Ctrl-C at the moment the second scenario's load is started, when a stop can overtake the start: the load
/// ends, the first one's record comes home, the cluster goes.
pub(crate) fn an_interrupted_run_keeps_its_records(kept: &Kept<'_>) {
    let down = settings(kept.folder, DOWN);
    let results = kept.folder.join("interrupted");
    // The Locust version of the kept cluster, so that nothing rolls.
    let arguments = ["--config", &down, "--locust-image", "locustio/locust:2.47.0"];
    let mut running = Running::start(&mut e2e(kept.name, &results, &arguments));
    running.await_line("[2/8] replicas", Duration::from_mins(3));
    running.await_line(" ready (", Duration::from_mins(1));
    running.signal(Signal::INT);
    let ended = running.finish();
    assert_eq!(ended.code, Some(130));
    assert!(ended.err.contains("replicas as found"), "the driver came to its own end: {}", ended.err);
    let run = only_run(&results);
    assert_eq!(rows(&run).len(), 1);
    assert_exact(&records(&run)[0]);
}
