//! Runs that are stopped before their end.

use std::process::Command;
use std::time::{Duration, Instant};

use e2e::results::{assert_exact, attempts, only_record, only_run, records, rows, scenario_id};
use e2e::tool::{Running, output_of};
use rustix::process::Signal;

use crate::silence::SilentProxy;
use e2e::kind::DOWN;
use e2e::kind::{KeptCluster, LOCUST, xtask_e2e};

/// The API server falls silent while a scenario is measured. The driver, started outside the cluster, can
/// no longer reach Locust. It says so in time and keeps the records that it has.
pub(crate) fn a_silent_api_server_ends_the_run(cluster: &KeptCluster) {
    let text = "{replicas: [1], workers: [1], users: [2, 4], duration: 8s, cooldown: 0s, spawn_rate: 20, \
                timeouts: {master: 20s}}";
    let matrix = cluster.settings(text);
    let results = cluster.folder.join("silent-api");
    let proxy = SilentProxy::start(&cluster.kubeconfig(), &cluster.folder);
    let run = ["run", "--config", &matrix, "--cluster-kind", "kind", "--results"];
    let mut run = cluster.driver_through(proxy.kubeconfig(), &run);
    let mut running = Running::start(run.arg(&results));
    running.await_line("[2/2] replicas", Duration::from_mins(1));
    running.await_line("RPS:", Duration::from_mins(1));
    proxy.fall_silent();
    let begun = Instant::now();
    let ended = running.finish();
    let took = begun.elapsed();
    assert_eq!(ended.code, Some(4));
    assert!(ended.err.contains("does not answer"), "{}", ended.err);
    assert!(
        ended.err.contains("kubectl scale deployment/inference --replicas=1"),
        "how to restore the replicas: {}",
        ended.err
    );
    // After 10 s of silence, the driver waits for a minute until the load has stopped by itself. It tries for 25 s
    // to write the record into the cluster, for 20 s until the API server answers again, and for 20 s to restore the
    // replicas. A call that is under way when a time is over may take 10 s more.
    assert!(took < Duration::from_mins(3), "{took:?}");
    let records = attempts(&only_run(&results));
    assert_eq!(records.len(), 2, "the first scenario and the one that was disturbed are kept");
}

/// SIGKILL ends the driver in the middle of a scenario. The Job's next pod stops the load that is left,
/// continues, and records every scenario once.
pub(crate) fn a_killed_driver_is_resumed(cluster: &KeptCluster) {
    let text = "{replicas: [1, 2], workers: [2], users: [10, 20], duration: 5s, max_duration: 30s, cooldown: 1s, spawn_rate: 20}";
    let matrix = cluster.settings(text);
    let mut running = Running::start(&mut cluster.driver_job(&matrix));
    running.await_line("[2/4] replicas", Duration::from_mins(2));
    running.await_line("RPS:", Duration::from_mins(1));
    // Other namespaces have drivers, too.
    let kill = format!(
        "for pid in $(pgrep --full '^/locust-matrix run'); do \
         if grep -qz '^LOCUST_MATRIX_NAMESPACE={}$' /proc/$pid/environ; then kill -KILL $pid; fi; done",
        cluster.namespace
    );
    output_of(Command::new("docker").args(["exec", &cluster.node(), "sh", "-c", &kill]));
    let ended = running.finish();
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("after exit code 137"), "the first pod was killed");
    assert!(ended.err.contains("1 recorded already"), "the second one resumed");
    let results = cluster.folder.join("killed");
    output_of(&mut cluster.driver(&["fetch", "--results", results.to_str().unwrap()]));
    let records = records(&only_run(&results));
    let ids: Vec<_> = records.iter().map(scenario_id).collect();
    let expected = ["closed-r1-w2-u10-1", "closed-r1-w2-u20-1", "closed-r2-w2-u10-1", "closed-r2-w2-u20-1"];
    assert_eq!(ids, expected);
    records.iter().for_each(assert_exact);
}

/// Ctrl-C while the second scenario's load is being started, when the stop can overtake the start: the load
/// ends, the first scenario's record is fetched, and the cluster is deleted.
pub(crate) fn an_interrupted_run_keeps_its_records(cluster: &KeptCluster) {
    let down = cluster.settings(DOWN);
    let results = cluster.folder.join("interrupted");
    // The Locust version that is deployed already, so that there is no rollout.
    let arguments = ["--config", &down, "--locust-image", LOCUST];
    let mut running = Running::start(&mut xtask_e2e(&cluster.name, &results, &arguments));
    running.await_line("[2/8] replicas", Duration::from_mins(3));
    running.await_line(" ready (", Duration::from_mins(1));
    running.signal(Signal::INT);
    let ended = running.finish();
    assert_eq!(ended.code, Some(130));
    assert!(ended.err.contains("replicas as found"), "the driver ended by itself: {}", ended.err);
    let run = only_run(&results);
    assert_eq!(rows(&run).len(), 1);
    assert_exact(&only_record(&run));
}

/// Two drivers are submitted at the same moment. One Job measures its own matrix to the end, and the other submission
/// is refused and names the first.
pub(crate) fn of_two_jobs_one_measures_its_own_matrix(cluster: &KeptCluster) {
    let submit = |users: u32| {
        let folder = cluster.folder.join(format!("job-of-{users}"));
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "{{replicas: [1], workers: [1], users: [{users}], duration: 4s, cooldown: 0s, spawn_rate: 20}}"
        );
        let matrix = KeptCluster { folder, ..cluster.clone() }.settings(&text);
        Running::start(&mut cluster.driver_job(&matrix))
    };
    let running = [4, 6].map(|users| (users, submit(users)));
    let ended = running.map(|(users, running)| (users, running.finish()));
    let (won, lost): (Vec<_>, Vec<_>) = ended.iter().partition(|(_, ended)| ended.code == Some(0));
    assert_eq!((won.len(), lost.len()), (1, 1), "one wins: {ended:?}");
    let ((users, winner), (_, loser)) = (won[0], lost[0]);
    assert_eq!(loser.code, Some(3), "{}", loser.err);
    let run_id = winner.out.split_whitespace().last().unwrap();
    assert!(loser.err.contains(&format!("is running (run id {run_id})")), "{run_id}: {}", loser.err);
    let results = cluster.folder.join("two-jobs");
    output_of(&mut cluster.driver(&["fetch", "--results", results.to_str().unwrap()]));
    let record = only_record(&only_run(&results));
    assert_eq!(record["scenario"]["users"], *users, "the winner's own matrix");
}
