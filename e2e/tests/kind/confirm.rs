//! The replicas that a load needs: the answer agrees with queueing theory, its measurement confirms it, and one replica
//! fewer is not enough.

use e2e::results::{Span, only_record, only_run, succeeded_histogram};
use e2e::tool::{run, say};
use fake_inference::closed_loop::capacity::Replicas;
use fake_inference::simulation::Service;
use records::Histogram;
use serde_json::Value;

use crate::verdicts::StubVariables;
use e2e::kind::KeptCluster;

/// The users for whom replicas are wanted. With the service below, one replica carries about 40.
const USERS: u32 = 100;
const SERVICE_MS: &str = "50";
const SERVICE_S: f64 = 0.05;
const SLOTS: usize = 4;
const GOAL_S: f64 = 0.5;
const SEARCH: &str = "{preset: quick, replicas: [1, 2], workers: [2], spawn_rate: 50, cooldown: 1s, \
                      objective: {p95_ms: 500}, capacity: {for_users: 100, confirm: true}}";

pub(crate) fn the_answer_holds_and_one_replica_fewer_is_not_enough(cluster: &KeptCluster) {
    let p95 = |replicas: usize| {
        let service = Service::Constant(SERVICE_S);
        Replicas { replicas, slots: SLOTS, service, mean: SERVICE_S }.p95(USERS.into())
    };
    let expected = (1..=20).find(|&replicas| p95(replicas) < GOAL_S).unwrap();
    let stub = StubVariables::set(cluster, &[("SERVICE_MS", SERVICE_MS)]);
    let results = cluster.folder.join("confirm");
    let ended = run(&mut cluster.driver_run(&cluster.settings(SEARCH), &results));
    let answer = std::fs::read_to_string(only_run(&results).join("capacity.json")).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    say(&format!("{}; by simulation {expected}, P95 {:.0} ms", answer["answer"], 1000.0 * p95(expected)));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(answer["needed"]["replicas"], expected, "{answer}");
    assert_eq!(answer["confirmation"]["outcome"], "met", "{answer}");

    let fewer = expected - 1;
    let text = format!(
        "{{replicas: [{fewer}], workers: [2], users: [{USERS}], spawn_rate: 50, duration: 20s, cooldown: 1s, \
         objective: {{p95_ms: 500}}}}"
    );
    let results = cluster.folder.join("confirm-fewer");
    let ended = run(&mut cluster.driver_run(&cluster.settings(&text), &results));
    let found = succeeded_histogram(&only_record(&only_run(&results)), Span::Window, "/predict");
    let found = serde_json::from_value::<Histogram>(found).unwrap().quantile(0.95).unwrap();
    say(&format!("{fewer} replicas: P95 {} ms, by simulation {:.0} ms", found / 1000, 1000.0 * p95(fewer)));
    assert_eq!(ended.code, Some(6), "{}", ended.err);
    assert!(ended.err.contains("objective missed: "), "{}", ended.err);
    stub.restore();
}
