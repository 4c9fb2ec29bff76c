//! Loads with a known outcome: a failure rate, and a service that is not the stub.

use std::path::Path;
use std::process::Command;

use e2e::results::{
    Span, assert_all_valid, assert_exact, counts, endpoint_counts, only_record, only_run, records, rows,
};
use e2e::tool::{output_of, run};

use e2e::kind::{KeptCluster, assert_refused};

/// The stub fails 5 % of the requests, chosen by a seed. Locust counts exactly as many failures as the stub.
pub(crate) fn failures_are_counted(cluster: &KeptCluster) {
    output_of(&mut cluster.kubectl(&[
        "set",
        "env",
        "deployment/inference",
        "FAKE_INFERENCE_FAILURE_RATE=0.05",
    ]));
    cluster.wait_for_rollout("deployment/inference");
    let text = "{replicas: [2], workers: [2], users: [20], duration: 10s, max_duration: 30s, cooldown: 1s, spawn_rate: 20, objective: {failures_pct: 20}, unknown: pass}";
    let matrix = cluster.settings(text);
    let results = cluster.folder.join("failures");
    assert_eq!(run(&mut cluster.driver_job(&matrix)).code, Some(0));
    output_of(&mut cluster.driver(&["fetch", "--results", results.to_str().unwrap()]));
    let run = only_run(&results);
    let record = only_record(&run);
    assert_exact(&record);
    let predict = endpoint_counts(&record, Span::WholeRun, "/predict").unwrap();
    let (requests, failures) = (predict.requests as f64, predict.failures as f64);
    // Binomial: 5 % ± 4 standard deviations of n requests.
    let (share, deviation) = (failures / requests, (0.05 * 0.95 / requests).sqrt());
    assert!((share - 0.05).abs() < 4.0 * deviation, "{failures} of {requests} failed");
    let window = counts(&record, Span::Window).unwrap();
    let expected = 100.0 * window.failures as f64 / window.requests as f64;
    assert_eq!(rows(&run)[0][7], format!("{expected:.2}"), "Failures_Pct");
    output_of(&mut cluster.kubectl(&["set", "env", "deployment/inference", "FAKE_INFERENCE_FAILURE_RATE-"]));
}

/// A settings file, a Secret and a locustfile are enough to measure another service. The driver, started
/// outside the cluster, uses a forwarded port, and refuses the service without `--yes`.
pub(crate) fn another_service_is_measured_from_outside(cluster: &KeptCluster) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let data = |file: &str| data.join(file).to_str().unwrap().to_owned();
    let node = cluster.node();
    output_of(Command::new("docker").args(["cp", &data("shop.yaml"), &format!("{node}:/shop.yaml")]));
    output_of(&mut cluster.kubectl(&["apply", "-f", "/shop.yaml"]));
    cluster.wait_for_rollout("deployment/shop");
    let stub = output_of(&mut cluster.kubectl(&["get", "deploy/inference", "-o", "jsonpath={..image}"]));
    let (stub, image) = (format!("fake-inference={stub}"), format!("locust-driver={}", cluster.driver_image));
    let (locustfile, matrix) = (data("shop_locustfile.py"), data("shop.matrix.yaml"));
    let deploy = ["deploy", "--overlay", "kind", "--image", &stub, "--image", &image];
    let for_the_shop = [&deploy[..], &["--locustfile", &locustfile, "--config", &matrix]].concat();
    output_of(&mut cluster.driver(&for_the_shop));

    let results = cluster.folder.join("shop");
    let deployment = format!("deployment {}/shop", cluster.namespace);
    assert_refused(&mut cluster.driver_run(&matrix, &results), 3, &[&deployment, "--yes"]);

    assert_eq!(run(cluster.driver_run(&matrix, &results).arg("--yes")).code, Some(0));
    let run_folder = only_run(&results);
    assert_all_valid(&run_folder, 2);
    assert!(rows(&run_folder).iter().all(|row| row[7] == "0.00"), "{:?}", rows(&run_folder));
    let replicas =
        output_of(&mut cluster.kubectl(&["get", "deploy/shop", "-o", "jsonpath={.spec.replicas}"]));
    assert_eq!(replicas, "1", "as it was found");

    // The same folder again: nothing is left to measure, so nothing is measured.
    let folder = run_folder.to_str().unwrap();
    let resumed = run(&mut cluster.driver(&["run", "--config", &matrix, "--yes", "--resume", folder]));
    assert_eq!(resumed.code, Some(0));
    assert!(!resumed.err.contains("RPS:"), "{}", resumed.err);
    let changed = ["run", "--config", &matrix, "--users", "11", "--yes", "--resume", folder];
    assert_refused(&mut cluster.driver(&changed), 2, &["cannot be resumed"]);
    assert_eq!(records(&run_folder).len(), 2, "the records are still there");

    // As a Job, too: the Role names this Deployment now.
    let job = ["job", "--yes", "--driver-image", &cluster.driver_image, "--config", &matrix, "--users", "10"];
    assert_eq!(run(&mut cluster.driver(&job)).code, Some(0));
    output_of(&mut cluster.kubectl(&["delete", "-f", "/shop.yaml"]));
    output_of(&mut cluster.driver(&deploy));
}
