//! Loads whose truth is known: a failure rate, and a service that is not the stub.

use std::path::Path;
use std::process::Command;

use e2e::results::{assert_all_valid, assert_exact, only_run, records, rows};
use e2e::tool::{must, run};

use crate::kept::{Kept, settings};

/// A seeded failure rate of 5 %: as many failures as the stub says it has made.
pub(crate) fn failures_are_counted(kept: &Kept<'_>) {
    must(&mut kept.kubectl(&["set", "env", "deployment/inference", "FAKE_INFERENCE_FAILURE_RATE=0.05"]));
    kept.rolled_out("deployment/inference");
    let text = "{replicas: [2], workers: [2], users: [20], duration: 10s, max_duration: 30s, cooldown: 1s, spawn_rate: 20}";
    let matrix = settings(kept.folder, text);
    let results = kept.folder.join("failures");
    assert_eq!(run(&mut kept.job(&matrix)).code, Some(0));
    must(&mut kept.driver(&["fetch", "--results", results.to_str().unwrap()]));
    let run = only_run(&results);
    let record = &records(&run)[0];
    assert_exact(record);
    let endpoints = record["whole_run"]["endpoints"].as_array().unwrap();
    let predict = endpoints.iter().find(|endpoint| endpoint["name"] == "/predict").unwrap();
    let requests = predict["requests"].as_f64().unwrap();
    let failures = predict["failures"].as_f64().unwrap();
    // Binomial: 5 % ± 4 standard deviations of n requests.
    let (share, spread) = (failures / requests, (0.05 * 0.95 / requests).sqrt());
    assert!((share - 0.05).abs() < 4.0 * spread, "{failures} of {requests} failed");
    let window = &record["window"]["aggregated"];
    let expected = 100.0 * window["failures"].as_f64().unwrap() / window["requests"].as_f64().unwrap();
    assert_eq!(rows(&run)[0][7], format!("{expected:.2}"), "Failures_Pct");
    must(&mut kept.kubectl(&["set", "env", "deployment/inference", "FAKE_INFERENCE_FAILURE_RATE-"]));
}

/// A service that is not the stub, by a settings file, a Secret and a locustfile alone, driven from here
/// through a forwarded port; not without being asked twice.
pub(crate) fn another_service_is_swept_from_outside(kept: &Kept<'_>) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let data = |file: &str| data.join(file).to_str().unwrap().to_owned();
    let node = kept.node();
    must(Command::new("docker").args(["cp", &data("shop.yaml"), &format!("{node}:/shop.yaml")]));
    must(&mut kept.kubectl(&["apply", "-f", "/shop.yaml"]));
    must(&mut kept.kubectl(&["rollout", "status", "deployment/shop", "--timeout=60s"]));
    let stub = must(&mut kept.kubectl(&["get", "deploy/inference", "-o", "jsonpath={..image}"]));
    let (stub, image) = (format!("fake-inference={stub}"), format!("locust-driver={}", kept.driver_image));
    let locustfile = data("shop_locustfile.py");
    let matrix = data("shop.matrix.yaml");
    let deploy = [
        "deploy",
        "--overlay",
        "kind",
        "--image",
        &stub,
        "--image",
        &image,
        "--locustfile",
        &locustfile,
        "--config",
        &matrix,
    ];
    must(&mut kept.driver(&deploy));

    let results = kept.folder.join("shop");
    let refused = run(&mut kept.sweep(&matrix, &results));
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.err.contains("deployment default/shop") && refused.err.contains("--yes"),
        "{}",
        refused.err
    );

    assert_eq!(run(kept.sweep(&matrix, &results).arg("--yes")).code, Some(0));
    let run_folder = only_run(&results);
    assert_all_valid(&run_folder, 2);
    assert!(rows(&run_folder).iter().all(|row| row[7] == "0.00"), "{:?}", rows(&run_folder));
    let replicas = must(&mut kept.kubectl(&["get", "deploy/shop", "-o", "jsonpath={.spec.replicas}"]));
    assert_eq!(replicas, "1", "as it was found");

    // The same folder again: nothing is left to measure, and nothing is measured.
    let again = ["run", "--config", &matrix, "--yes", "--resume", run_folder.to_str().unwrap()];
    let resumed = run(&mut kept.driver(&again));
    assert_eq!(resumed.code, Some(0));
    assert!(!resumed.err.contains("RPS:"), "{}", resumed.err);
    let changed =
        ["run", "--config", &matrix, "--users", "11", "--yes", "--resume", run_folder.to_str().unwrap()];
    let refused = run(&mut kept.driver(&changed));
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("cannot go on"), "{}", refused.err);
    assert_eq!(records(&run_folder).len(), 2, "what was recorded is still there");

    // As the Job, too: the Role names this Deployment now.
    let job = ["job", "--yes", "--driver-image", &kept.driver_image, "--config", &matrix, "--users", "10"];
    assert_eq!(run(&mut kept.driver(&job)).code, Some(0));
    must(&mut kept.kubectl(&["delete", "-f", "/shop.yaml"]));
    must(&mut kept.driver(&deploy[..deploy.len() - 4]));
}
