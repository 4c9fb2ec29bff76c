//! The main job on real kind clusters, through the command that users type.
//!
//! The clusters are made one after the other: two at once would measure each other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use e2e::leftovers::Before;
use e2e::required;
use e2e::results::{assert_exact, only_run, records, rows};
use e2e::tool::{Ended, Running, must, run};
use rustix::process::Signal;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// `cargo xtask e2e` on the kind cluster `name`.
fn e2e(name: &str, results: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(required("E2E_XTASK"));
    command.args(["e2e", "--cluster", "kind", "--name", name, "--node-image", &required("E2E_NODE_IMAGE")]);
    command.arg("--results").arg(results).args(arguments);
    command
}

fn kubectl(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args([
        "exec",
        &format!("{name}-control-plane"),
        "kubectl",
        "--kubeconfig",
        "/etc/kubernetes/admin.conf",
    ]);
    command.args(arguments);
    command
}

/// A matrix with a step down on every axis, each scenario a few seconds long.
const DOWN: &str = "\
replicas: [2, 1]
workers: [2, 1]
users: [20, 10]
duration: 4s
cooldown: 2s
spawn_rate: 20
";

fn settings(folder: &Path, text: &str) -> String {
    let path = folder.join("matrix.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn assert_all_valid(ended: &Ended, run: &Path, scenarios: usize) {
    assert_eq!(ended.code, Some(0));
    let rows = rows(run);
    assert_eq!(rows.len(), scenarios);
    assert!(rows.iter().all(|row| row[11] == "SUCCESS"), "{rows:?}");
    for record in records(run) {
        assert_exact(&record);
    }
}

#[test]
fn the_quick_matrix_from_nothing_to_nothing() {
    let _turn = ONE_AT_A_TIME.lock();
    let before = Before::look();
    let results = tempfile::tempdir().unwrap();
    let ended = run(&mut e2e("lm-test-quick", results.path(), &[]));
    let run = only_run(results.path());
    assert_all_valid(&ended, &run, 4);
    assert!(run.join("auto_summary.md").is_file());
    before.assert_nothing_left("lm-test-quick");
}

/// One kept cluster for all that follows each other on it.
#[test]
fn a_kept_cluster_goes_through_everything() {
    let _turn = ONE_AT_A_TIME.lock();
    let before = Before::look();
    let name = "lm-test-kept";
    let folder = tempfile::tempdir().unwrap();
    let down = settings(folder.path(), DOWN);

    // A scale-down at every step, on both versions of Locust's web API.
    let mut driver_image = String::new();
    for version in ["2.46.6", "2.47.0"] {
        let results = folder.path().join(version);
        let locust = format!("locustio/locust:{version}");
        let ended = run(&mut e2e(name, &results, &["--keep", "--config", &down, "--locust-image", &locust]));
        let run = only_run(&results);
        assert_all_valid(&ended, &run, 8);
        let generator = format!("Locust {version}");
        assert!(records(&run).iter().all(|record| record["setting"]["generator"] == generator.as_str()));
        let word = ended.err.split_whitespace().find(|word| word.starts_with("locust-driver:"));
        word.unwrap().clone_into(&mut driver_image);
    }
    let replicas = ["get", "deployment", "-o", "jsonpath={.items[*].spec.replicas}"];
    assert_eq!(
        must(&mut kubectl(name, &replicas)),
        "1 1 2",
        "inference, master, workers as they were deployed"
    );

    let target = Path::new(&required("E2E_TARGET")).join("e2e").join(name).join("kubeconfig");
    let driver = |arguments: &[&str]| {
        let mut command = Command::new(required("E2E_DRIVER"));
        command.arg("--kubeconfig").arg(&target).args(arguments);
        command
    };
    let job = ["job", "--driver-image", &driver_image, "--cluster-kind", "kind", "--config"];

    failures_are_counted(name, folder.path(), &driver, &job);
    another_service_is_swept_from_outside(name, folder.path(), &driver, &driver_image);
    wrong_turns_end_with_their_codes(name, folder.path(), &driver);
    a_missing_permission_is_named(name, folder.path(), &driver, &job);
    a_killed_driver_is_resumed(name, folder.path(), &driver, &job);
    an_interrupted_run_keeps_its_records(name, folder.path());
    before.assert_nothing_left(name);
}

/// A seeded failure rate of 5 %: as many failures as the stub says it has made.
fn failures_are_counted(name: &str, folder: &Path, driver: &dyn Fn(&[&str]) -> Command, job: &[&str]) {
    must(&mut kubectl(name, &["set", "env", "deployment/inference", "FAKE_INFERENCE_FAILURE_RATE=0.05"]));
    must(&mut kubectl(name, &["rollout", "status", "deployment/inference", "--timeout=60s"]));
    let text = "{replicas: [2], workers: [2], users: [20], duration: 10s, cooldown: 1s, spawn_rate: 20}";
    let matrix = settings(folder, text);
    let results = folder.join("failures");
    let results_text = results.to_str().unwrap();
    assert_eq!(run(&mut driver(&[job, &[&matrix]].concat())).code, Some(0));
    must(&mut driver(&["fetch", "--results", results_text]));
    let run = only_run(&results);
    let record = &records(&run)[0];
    assert_exact(record);
    let predict =
        record["whole_run"]["endpoints"].as_array().unwrap().iter().find(|e| e["name"] == "/predict");
    let (requests, failures) =
        (predict.unwrap()["requests"].as_f64().unwrap(), predict.unwrap()["failures"].as_f64().unwrap());
    // Binomial: 5 % ± 4 standard deviations of n requests.
    let (share, spread) = (failures / requests, (0.05 * 0.95 / requests).sqrt());
    assert!((share - 0.05).abs() < 4.0 * spread, "{failures} of {requests} failed");
    let window = &record["window"]["aggregated"];
    let expected = 100.0 * window["failures"].as_f64().unwrap() / window["requests"].as_f64().unwrap();
    assert_eq!(rows(&run)[0][7], format!("{expected:.2}"), "Failures_Pct");
    must(&mut kubectl(name, &["set", "env", "deployment/inference", "FAKE_INFERENCE_FAILURE_RATE-"]));
}

/// A service that is not the stub, by a settings file, a Secret and a locustfile alone, driven from here
/// through a forwarded port; not without being asked twice.
fn another_service_is_swept_from_outside(
    name: &str,
    folder: &Path,
    driver: &dyn Fn(&[&str]) -> Command,
    driver_image: &str,
) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let data = |file: &str| data.join(file).to_str().unwrap().to_owned();
    let node = format!("{name}-control-plane");
    must(Command::new("docker").args(["cp", &data("shop.yaml"), &format!("{node}:/shop.yaml")]));
    must(&mut kubectl(name, &["apply", "-f", "/shop.yaml"]));
    must(&mut kubectl(name, &["rollout", "status", "deployment/shop", "--timeout=60s"]));
    let stub = must(&mut kubectl(name, &["get", "deploy/inference", "-o", "jsonpath={..image}"]));
    let (stub, image) = (format!("fake-inference={stub}"), format!("locust-driver={driver_image}"));
    let locustfile = data("shop_locustfile.py");
    let deploy =
        ["deploy", "--overlay", "kind", "--image", &stub, "--image", &image, "--locustfile", &locustfile];
    must(&mut driver(&deploy));

    let results = folder.join("shop");
    let matrix = data("shop.matrix.yaml");
    let sweep =
        ["run", "--config", &matrix, "--cluster-kind", "kind", "--results", results.to_str().unwrap()];
    let refused = run(&mut driver(&sweep));
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.err.contains("deployment default/shop") && refused.err.contains("--yes"),
        "{}",
        refused.err
    );

    assert_eq!(run(&mut driver(&[&sweep[..], &["--yes"]].concat())).code, Some(0));
    let run_folder = only_run(&results);
    assert!(
        rows(&run_folder).iter().all(|row| row[11] == "SUCCESS" && row[7] == "0.00"),
        "{:?}",
        rows(&run_folder)
    );
    let replicas = must(&mut kubectl(name, &["get", "deploy/shop", "-o", "jsonpath={.spec.replicas}"]));
    assert_eq!(replicas, "1", "as it was found");

    // The same folder again: nothing is left to measure, and nothing is measured.
    let again = ["run", "--config", &matrix, "--yes", "--resume", run_folder.to_str().unwrap()];
    let resumed = run(&mut driver(&again));
    assert_eq!(resumed.code, Some(0));
    assert!(!resumed.err.contains("RPS:"), "{}", resumed.err);
    let changed =
        ["run", "--config", &matrix, "--users", "11", "--yes", "--resume", run_folder.to_str().unwrap()];
    let refused = run(&mut driver(&changed));
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("cannot go on"), "{}", refused.err);
    assert_eq!(records(&run_folder).len(), 2, "what was recorded is still there");
    must(&mut kubectl(name, &["delete", "-f", "/shop.yaml"]));
    must(&mut driver(&deploy[..deploy.len() - 2]));
}

/// What can be wrong with a cluster, each with its exit code, its message and, where a scenario was
/// reached, its record.
fn wrong_turns_end_with_their_codes(name: &str, folder: &Path, driver: &dyn Fn(&[&str]) -> Command) {
    let text = "{replicas: [2], workers: [1], users: [2], duration: 1s, cooldown: 0s, \
                timeouts: {master: 4s, ready: 2m, workers: 15s}}";
    let matrix = settings(folder, text);
    let sweep = |case: &str, code: i32, words: &str| {
        let results = folder.join(case);
        let arguments =
            ["run", "--config", &matrix, "--cluster-kind", "kind", "--results", results.to_str().unwrap()];
        let ended = run(&mut driver(&arguments));
        assert_eq!(ended.code, Some(code), "{case}: {}", ended.err);
        assert!(ended.err.contains(words), "{case}: {}", ended.err);
        (code == 5).then(|| records(&only_run(&results)).remove(0))
    };
    let inference = "deployment/inference";

    // A replica more than the node has room for: known at once, not after a timeout.
    must(&mut kubectl(name, &["set", "resources", inference, "--requests=cpu=600m"]));
    must(&mut kubectl(name, &["rollout", "status", inference, "--timeout=60s"]));
    let record = sweep("infeasible", 5, "INFEASIBLE").unwrap();
    assert!(record["verdict"]["reasons"][0].as_str().unwrap().contains("Insufficient cpu"), "{record}");
    assert!(record["window"].is_null(), "nothing was measured: {record}");
    must(&mut kubectl(name, &["set", "resources", inference, "--requests=cpu=50m"]));

    must(&mut kubectl(name, &["set", "env", inference, "FAKE_INFERENCE_CONCURRENCY=none"]));
    let record = sweep("crashing", 5, "crashes again and again").unwrap();
    assert_eq!(record["verdict"]["judgement"], "FAILED");
    must(&mut kubectl(name, &["set", "env", inference, "FAKE_INFERENCE_CONCURRENCY=4"]));
    must(&mut kubectl(name, &["rollout", "status", inference, "--timeout=60s"]));

    // A worker of somebody else's on our master: its share of the load would be nobody's.
    let stray = "printf 'import locust\\nclass U(locust.HttpUser):\\n  pass\\n' > /tmp/l.py && \
                 locust --worker --master-host locust-master -f /tmp/l.py";
    let image = "--image=locustio/locust:2.47.0";
    must(&mut kubectl(
        name,
        &["run", "stray", image, "--restart=Never", "--command", "--", "sh", "-c", stray],
    ));
    must(&mut kubectl(name, &["wait", "--for=condition=Ready", "pod/stray", "--timeout=60s"]));
    sweep("stray", 4, "Locust should list exactly 1 idle workers");
    must(&mut kubectl(name, &["delete", "pod", "stray", "--now"]));

    must(&mut kubectl(name, &["scale", "deployment/locust-master", "--replicas=0"]));
    must(&mut kubectl(name, &["wait", "--for=delete", "pod", "-l", "role=master", "--timeout=60s"]));
    sweep("silent", 4, "Locust's master did not answer");
    must(&mut kubectl(name, &["scale", "deployment/locust-master", "--replicas=1"]));
    must(&mut kubectl(name, &["rollout", "status", "deployment/locust-master", "--timeout=60s"]));
}

/// The driver's Role without any one of its rules: the run ends 3 and says which permission is missing.
fn a_missing_permission_is_named(
    name: &str,
    folder: &Path,
    driver: &dyn Fn(&[&str]) -> Command,
    job: &[&str],
) {
    let matrix = settings(folder, "{replicas: [2], workers: [1], users: [1], duration: 1s, cooldown: 0s}");
    let role = must(&mut kubectl(name, &["get", "role", "locust-driver-role", "-o", "json"]));
    let rules = serde_json::from_str::<serde_json::Value>(&role).unwrap()["rules"].clone();
    let patch = |rules: &serde_json::Value| {
        let patch = serde_json::json!({ "rules": rules }).to_string();
        must(&mut kubectl(name, &["patch", "role", "locust-driver-role", "--type=merge", "-p", &patch]));
    };
    for at in 0..rules.as_array().unwrap().len() {
        let mut fewer = rules.clone();
        let missing = fewer.as_array_mut().unwrap().remove(at);
        patch(&fewer);
        let ended = run(&mut driver(&[job, &[&matrix]].concat()));
        assert_eq!(ended.code, Some(3), "without {missing}");
        let resource = missing["resources"][0].as_str().unwrap();
        let named = |line: &str| line.contains("permission is missing") && line.contains(resource);
        assert!(ended.err.lines().any(named), "without {missing}: {}", ended.err);
    }
    patch(&rules);
}

/// SIGKILL of the driver in the middle of a scenario: the Job's next pod stops the load that is left,
/// goes on, and records every scenario once.
fn a_killed_driver_is_resumed(name: &str, folder: &Path, driver: &dyn Fn(&[&str]) -> Command, job: &[&str]) {
    let text =
        "{replicas: [1, 2], workers: [2], users: [10, 20], duration: 5s, cooldown: 1s, spawn_rate: 20}";
    let matrix = settings(folder, text);
    let mut running = Running::start(&mut driver(&[job, &[&matrix]].concat()));
    running.await_line("[2/4] replicas", Duration::from_mins(2));
    running.await_line("RPS:", Duration::from_mins(1));
    must(Command::new("docker").args([
        "exec",
        &format!("{name}-control-plane"),
        "pkill",
        "-KILL",
        "--full",
        "^/locust-matrix run",
    ]));
    let ended = running.finish();
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("after exit code 137"), "the first pod was killed");
    assert!(ended.err.contains("1 recorded already"), "the second one resumed");
    let results = folder.join("killed");
    must(&mut driver(&["fetch", "--results", results.to_str().unwrap()]));
    let records = records(&only_run(&results));
    let ids: Vec<_> = records.iter().map(|record| record["scenario"]["id"].as_str().unwrap()).collect();
    let expected = ["closed-r1-w2-u10-1", "closed-r1-w2-u20-1", "closed-r2-w2-u10-1", "closed-r2-w2-u20-1"];
    assert_eq!(ids, expected);
    records.iter().for_each(assert_exact);
}

/// Ctrl-C at the moment the second scenario's load is started, when a stop can overtake the start: the load
/// ends, the first one's record comes home, the cluster goes.
fn an_interrupted_run_keeps_its_records(name: &str, folder: &Path) {
    let down = settings(folder, DOWN);
    let results = folder.join("interrupted");
    // The Locust version of the kept cluster, so that nothing rolls.
    let arguments = ["--config", &down, "--locust-image", "locustio/locust:2.47.0"];
    let mut running = Running::start(&mut e2e(name, &results, &arguments));
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
