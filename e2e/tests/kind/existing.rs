//! `--cluster existing`: a cluster that is there already, and that is left as it was found.

use std::path::Path;
use std::process::Command;

use e2e::required;
use e2e::results::{assert_all_valid, only_run, records};
use e2e::tool::{must, run};

use crate::kept::{Kept, settings};

const NAMESPACE: &str = "team";

/// The whole job in a namespace of its own, everything taken away again; and a second time beside what
/// was deployed before, which stays.
pub(crate) fn a_namespace_of_a_cluster_that_is_there(kept: &Kept<'_>) {
    must(&mut kept.kubectl(&["create", "namespace", NAMESPACE]));
    let text = "{replicas: [1, 2], workers: [1], users: [4], duration: 2s, max_duration: 30s, cooldown: 1s, spawn_rate: 20}";
    let matrix = settings(kept.folder, text);
    let existing = |results: &Path| {
        let mut command = Command::new(required("E2E_XTASK"));
        command.env("KUBECONFIG", kept.kubeconfig());
        command.args(["e2e", "--cluster", "existing", "--context", &format!("kind-{}", kept.name)]);
        command.args(["--namespace", NAMESPACE, "--driver-image", &kept.driver_image]);
        command.args(["--stub", "--small", "--stub-image", &kept.stub_image, "--config", &matrix]);
        command.args(["--locust-image", "locustio/locust:2.47.0", "--results"]).arg(results);
        command
    };
    let ours = [
        "get",
        "all,configmaps,roles,leases",
        "-n",
        NAMESPACE,
        "-l",
        "app in (locust,inference)",
        "-o",
        "name",
    ];

    let results = kept.folder.join("existing");
    let ended = run(&mut existing(&results));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains(&format!("namespace {NAMESPACE}")), "{}", ended.err);
    let run_folder = only_run(&results);
    assert_all_valid(&run_folder, 2);
    assert_eq!(records(&run_folder)[0]["setting"]["cluster"], "existing");
    let left = must(&mut kept.kubectl(&ours));
    assert!(left.lines().all(|line| line.starts_with("pod/")), "nothing but pods that are going: {left}");

    let stub = format!("fake-inference={}", kept.stub_image);
    let locust = "locustio/locust=locustio/locust:2.47.0";
    let deploy =
        ["--namespace", NAMESPACE, "deploy", "--overlay", "kind", "--image", &stub, "--image", locust];
    must(&mut kept.driver(&deploy));
    let ended = run(&mut existing(&kept.folder.join("existing-again")));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("deployed before this run, and stays"), "{}", ended.err);
    must(&mut kept.kubectl(&["get", "deployment", "inference", "-n", NAMESPACE]));
    must(&mut kept.kubectl(&["delete", "namespace", NAMESPACE]));
}
