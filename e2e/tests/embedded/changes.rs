//! The driver lists the changes that it would make in a cluster, makes exactly these, and undoes them.

use std::process::Command;

use e2e::required;
use e2e::tool::{output_of, run};

use crate::cluster::Cluster;

pub(crate) fn are_shown_made_and_removed(cluster: &Cluster) {
    let driver = |words: &[&str]| {
        let mut command = Command::new(required("E2E_DRIVER"));
        command.arg("--kubeconfig").arg(cluster.kubeconfig()).args(words);
        command
    };
    let stub = ["--overlay", "stub", "--image", "fake-inference=fake-inference:1"];
    let with = |words: &[&str], stub: &[&str]| output_of(&mut driver(&[words, stub].concat()));

    let planned = with(&["plan", "--replicas", "1,2", "--workers", "1", "--users", "5", "--dry-run"], &stub);
    assert!(planned.contains("2 scenarios") && planned.contains("\n+ Deployment/inference\n"), "{planned}");
    let none = output_of(&mut driver(&["cleanup", "--dry-run"]));
    assert!(!none.contains("Deployment"), "showing changed nothing: {none}");

    with(&["deploy"], &stub);
    let same = with(&["deploy", "--dry-run"], &stub);
    assert!(same.lines().count() >= 2 && same.lines().all(|line| line.starts_with("= ")), "{same}");
    let other = ["--overlay", "stub", "--image", "fake-inference=fake-inference:2"];
    let changed = with(&["deploy", "--dry-run"], &other);
    let image = r#"spec.template.spec.containers[0].image: "fake-inference:1" → "fake-inference:2""#;
    assert!(changed.contains("~ Deployment/inference\n") && changed.contains(image), "{changed}");
    assert_eq!(with(&["deploy", "--dry-run"], &stub), same, "showing changed nothing");

    let removed = output_of(&mut driver(&["cleanup"]));
    assert!(removed.contains("Deployment/inference"), "{removed}");
    let gone = with(&["plan", "--preset", "quick", "--dry-run"], &stub);
    assert!(gone.contains("+ Deployment/inference"), "{gone}");

    // A cluster that does not answer must not pass for a cluster without objects.
    let nowhere = tempfile::tempdir().unwrap();
    let path = nowhere.path().join("kubeconfig");
    let text = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let server = text.split('"').find(|word| word.starts_with("https://")).unwrap();
    std::fs::write(&path, text.replace(server, "https://127.0.0.1:1")).unwrap();
    let mut away = Command::new(required("E2E_DRIVER"));
    away.arg("--kubeconfig").arg(&path).args(["plan", "--preset", "quick", "--dry-run"]);
    let ended = run(&mut away);
    assert!(matches!(ended.code, Some(3 | 4)) && ended.err.contains("127.0.0.1:1"), "{ended:?}");
}
