//! `--cluster existing`: the cluster exists before the run, and is left as it was found.

use std::path::Path;
use std::process::Command;

use e2e::required;
use e2e::results::{assert_all_valid, environment, only_run, records};
use e2e::tool::{output_of, run};

use e2e::kind::{KeptCluster, LOCUST};

/// A run in an empty namespace removes everything that it deployed. A second run, where Locust and the stub
/// are deployed already, leaves them there.
pub(crate) fn a_run_leaves_the_namespace_as_it_was(cluster: &KeptCluster) {
    let namespace = cluster.namespace.as_str();
    let text = "{replicas: [1, 2], workers: [1], users: [4], duration: 2s, max_duration: 30s, cooldown: 1s, spawn_rate: 20}";
    let matrix = cluster.settings(text);
    let existing = |results: &Path| {
        let mut command = Command::new(required("E2E_XTASK"));
        command.env("KUBECONFIG", cluster.kubeconfig());
        command.args(["e2e", "--cluster", "existing", "--context", &format!("kind-{}", cluster.name)]);
        command.args(["--namespace", namespace, "--driver-image", &cluster.driver_image]);
        command.args(["--stub", "--small", "--stub-image", &cluster.stub_image, "--config", &matrix]);
        command.args(["--locust-image", LOCUST, "--results"]).arg(results);
        command
    };

    let results = cluster.folder.join("existing");
    let ended = run(&mut existing(&results));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains(&format!("namespace {namespace}")), "{}", ended.err);
    let run_folder = only_run(&results);
    assert_all_valid(&run_folder, 2);
    assert_eq!(environment(&records(&run_folder)[0], "cluster"), "existing");
    let ours = ["get", "all,configmaps,roles,leases", "-l", "app in (locust,inference)", "-o", "name"];
    let left = output_of(&mut cluster.kubectl(&ours));
    assert!(left.lines().all(|line| line.starts_with("pod/")), "only pods that are being deleted: {left}");

    cluster.deploy();
    let ended = run(&mut existing(&cluster.folder.join("existing-again")));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("deployed before this run, and stays"), "{}", ended.err);
    output_of(&mut cluster.kubectl(&["get", "deployment", "inference"]));
}
