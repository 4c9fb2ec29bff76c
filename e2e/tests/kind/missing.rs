//! Something is missing in a cluster, or a name is taken: each ends with exit code 3 and names it.

use std::process::Command;

use e2e::required;
use tempfile::tempdir;

use e2e::kind::{KeptCluster, LOCUST, assert_refused, deploy_arguments, xtask_e2e};

const NOWHERE: &str = "nowhere.invalid/none:1";

pub(crate) fn an_image_that_cannot_be_pulled_is_named(cluster: &KeptCluster) {
    let deploy = deploy_arguments(NOWHERE, &cluster.stub_image);
    let deployment = format!("deployment {}/locust-master", cluster.namespace);
    assert_refused(&mut cluster.driver(&deploy), 3, &[&deployment, NOWHERE, "next: "]);

    // The driver's program ends at once in the stub's place, because it does not know the stub's arguments.
    let deploy = deploy_arguments(LOCUST, &cluster.driver_image);
    let deployment = format!("deployment {}/inference", cluster.namespace);
    assert_refused(&mut cluster.driver(&deploy), 3, &[&deployment, "next: "]);
    cluster.deploy();

    let matrix = cluster.settings("{replicas: [1], workers: [1], users: [1], duration: 1s}");
    let job = ["job", "--driver-image", NOWHERE, "--config", &matrix];
    assert_refused(&mut cluster.driver(&job), 3, &["the driver's pod", NOWHERE, "--driver-image"]);
}

pub(crate) fn a_name_or_port_that_is_taken_is_named(cluster: &KeptCluster) {
    // Another checkout must not take this cluster for its own.
    let (target, results) = (tempdir().unwrap(), tempdir().unwrap());
    let mut other = xtask_e2e(&cluster.name, results.path(), &[]);
    other.env("CARGO_TARGET_DIR", target.path());
    assert_refused(&mut other, 3, &[&format!("cluster {}", cluster.name), "next: "]);

    // The port is checked before a cluster is created.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut busy = Command::new(required("E2E_XTASK"));
    busy.args(["e2e", "--cluster", "kind", "--name", "lm-test-busy", "--ui-port", &port]);
    busy.args(["--node-image", &required("E2E_NODE_IMAGE")]).env("CARGO_TARGET_DIR", target.path());
    assert_refused(&mut busy, 3, &[&port, "next: "]);
}
