//! What is missing in a cluster, or taken: each ends with 3 and says what.

use std::process::Command;

use e2e::required;
use tempfile::tempdir;

use crate::kept::{Kept, e2e, refused, settings};

/// Images that cannot be had or do not start, and a name that somebody else's cluster has.
pub(crate) fn images_and_names_are_said(kept: &Kept<'_>) {
    let nowhere = "nowhere.invalid/none:1";
    let locust = format!("locustio/locust={nowhere}");
    let stub = format!("fake-inference={}", kept.stub_image);
    let overlay = ["deploy", "--overlay", "kind", "--image"];
    let pulled = [&overlay[..], &[&locust, "--image", &stub]].concat();
    refused(&mut kept.driver(&pulled), 3, &["deployment default/locust-master", nowhere, "next: "]);

    // A program that ends at once: the driver does not know the stub's arguments.
    let started = format!("fake-inference={}", kept.driver_image);
    let started = [&overlay[..], &[&started, "--image", "locustio/locust=locustio/locust:2.47.0"]].concat();
    refused(&mut kept.driver(&started), 3, &["deployment default/inference", "next: "]);
    let well = [&overlay[..], &[&stub, "--image", "locustio/locust=locustio/locust:2.47.0"]].concat();
    assert_eq!(e2e::tool::run(&mut kept.driver(&well)).code, Some(0));

    let matrix = settings(kept.folder, "{replicas: [1], workers: [1], users: [1], duration: 1s}");
    let job = ["job", "--driver-image", nowhere, "--config", &matrix];
    refused(&mut kept.driver(&job), 3, &["the driver's pod", nowhere, "--driver-image"]);

    // Another checkout must not take this cluster for its own.
    let (target, results) = (tempdir().unwrap(), tempdir().unwrap());
    let mut other: Command = e2e(kept.name, results.path(), &[]);
    other.env("CARGO_TARGET_DIR", target.path());
    refused(&mut other, 3, &[&format!("cluster {}", kept.name), "next: "]);

    // A port that is taken is said before a cluster is made.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut busy = Command::new(required("E2E_XTASK"));
    busy.args(["e2e", "--cluster", "kind", "--name", "lm-test-busy", "--ui-port", &port]);
    busy.args(["--node-image", &required("E2E_NODE_IMAGE")]).env("CARGO_TARGET_DIR", target.path());
    refused(&mut busy, 3, &[&port, "next: "]);
}
