//! kubectl against the embedded cluster: the commands with which people inspect and change a cluster.

use std::process::Command;
use std::time::Duration;

use e2e::tool::{Running, output_of, run};
use rustix::process::Signal;

use crate::cluster::Cluster;

pub(crate) fn every_command_works(cluster: &Cluster) {
    let kubectl = |words: &[&str]| {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", cluster.kubeconfig()).args(words);
        command
    };
    let manifests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/stub");
    let manifests = manifests.to_str().unwrap();
    output_of(&mut kubectl(&["apply", "--server-side", "-k", manifests]));
    output_of(&mut kubectl(&["scale", "deployment/inference", "--replicas=2"]));
    output_of(&mut kubectl(&["set", "resources", "deployment/inference", "--requests=cpu=10m,memory=8Mi"]));
    output_of(&mut kubectl(&["rollout", "status", "deployment/inference", "--timeout=60s"]));
    output_of(&mut kubectl(&["wait", "--for=condition=Available", "deployment/inference", "--timeout=60s"]));

    let shows = |words: &[&str], expected: &[&str]| {
        let output = output_of(&mut kubectl(words));
        for word in expected {
            assert!(output.contains(word), "kubectl {}: no '{word}' in:\n{output}", words.join(" "));
        }
    };
    shows(&["get", "nodes", "-o", "wide"], &["NAME", "STATUS", "Ready", "INTERNAL-IP"]);
    shows(&["get", "deployments"], &["UP-TO-DATE", "inference", "2/2"]);
    shows(&["get", "pods", "-o", "wide"], &["READY", "1/1", "Running", "127."]);
    shows(
        &["get", "pods,services,replicasets", "-l", "app=inference"],
        &["pod/", "service/", "replicaset.apps/"],
    );
    shows(&["get", "deployment", "inference", "-o", "yaml"], &["kind: Deployment", "replicas: 2"]);
    shows(&["describe", "deployment", "inference"], &["Replicas:", "2 desired", "NewReplicaSet:"]);
    shows(&["describe", "pods"], &["Node:", "Containers:", "Ready", "Events:"]);
    shows(&["get", "events"], &["REASON", "Started"]);
    shows(&["auth", "can-i", "delete", "pods"], &["yes"]);
    shows(&["auth", "can-i", "--list"], &["*.*"]);
    let driver =
        run(&mut kubectl(&["auth", "can-i", "delete", "pods", "--as=system:serviceaccount:default:nobody"]));
    assert!(driver.code == Some(1) && driver.out.starts_with("no"), "{driver:?}");

    // Both have printed something before anything changes. Their output is on standard error, where the test
    // waits for it.
    let follows = |words: &str, first: &[&str]| {
        let mut command = Command::new("sh");
        command.env("KUBECONFIG", cluster.kubeconfig()).args(["-c", &format!("exec kubectl {words} >&2")]);
        let mut running = Running::start(&mut command);
        for word in first {
            running.await_line(word, Duration::from_secs(30));
        }
        running
    };
    let watch = follows("get pods -w -o name", &["pod/", "pod/"]);
    let logs = follows("logs -f deployment/inference", &["listening on"]);
    output_of(&mut kubectl(&["scale", "deployment/inference", "--replicas=1"]));
    output_of(&mut kubectl(&["delete", "pod", "-l", "app=inference", "--wait"]));
    // It ends when the pod that it follows ends.
    logs.finish_within(Duration::from_secs(30));
    output_of(&mut kubectl(&["rollout", "status", "deployment/inference", "--timeout=60s"]));
    watch.signal(Signal::INT);
    let output = watch.finish_within(Duration::from_secs(10)).err;
    let seen: std::collections::BTreeSet<_> =
        output.lines().filter(|line| line.starts_with("pod/")).collect();
    assert!(seen.len() >= 3, "two pods before, and the one that replaced them: {seen:?}");

    output_of(&mut kubectl(&["delete", "deployment,service", "-l", "app=inference"]));
    output_of(&mut kubectl(&["wait", "--for=delete", "pod", "-l", "app=inference", "--timeout=60s"]));
    let none = run(&mut kubectl(&["get", "all", "-l", "app=inference"]));
    assert!(none.err.contains("No resources found"), "{none:?}");
    let unknown = run(&mut kubectl(&["get", "ingresses"]));
    assert!(unknown.code == Some(1) && unknown.err.contains("resource type"), "{unknown:?}");
}
