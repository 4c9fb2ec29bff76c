//! `cargo xtask e2e --cluster embedded` builds the programs that it runs.
//!
//! The embedded tier uses the programs of the workspace's tests, because they exist already. The command itself
//! builds three packages with fewer features. That takes a minute of both cores, which the stages beside this
//! one do not need.

use std::process::Command;
use std::time::Duration;

use e2e::required;
use e2e::tool::{Running, say};
use rustix::process::Signal;

use e2e::kind::KeptCluster;

/// Left out unless the embedded tier has run before: then this machine can run it, and has Locust for it.
pub(crate) fn the_embedded_cluster_is_built_and_started(cluster: &KeptCluster) {
    if std::env::var_os("E2E_EMBEDDED_BUILD").is_none() {
        say("left out: the embedded tier did not run, or has built its programs by itself");
        return;
    }
    // The build gives way to everything else that runs.
    let mut command = Command::new("nice");
    command.args([
        "-n",
        "19",
        &required("E2E_XTASK"),
        "e2e",
        "--cluster",
        "embedded",
        "--name",
        "lm-test-build",
        "--results",
    ]);
    let mut running = Running::start(command.arg(cluster.folder.join("embedded")));
    running.await_line("✓ build the driver and the stub", Duration::from_mins(8));
    running.await_line("✓ start the cluster", Duration::from_mins(1));
    running.signal(Signal::INT);
    let ended = running.finish();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
}
