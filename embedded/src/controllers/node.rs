//! The only node: this machine.

use std::num::NonZero;

use serde_json::{Value, json};

use crate::kinds;
use crate::object::node::NAME;
use crate::store::Store;
use crate::time::now;
use crate::version;

/// Largest number of pods on the node.
const MAX_PODS: &str = "250";

/// Adds the node. Its capacity is the number of cores and the memory of this machine.
pub(super) fn register(store: &Store) {
    let capacity = capacity();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now(), "lastTransitionTime": now(),
        })
    };
    let node = json!({
        "metadata": {
            "name": NAME,
            "labels": {
                "kubernetes.io/hostname": NAME,
                "kubernetes.io/os": std::env::consts::OS,
                "kubernetes.io/arch": architecture(),
                "node-role.kubernetes.io/control-plane": "",
            },
        },
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [condition("Ready", "True", "KubeletReady", "pods are processes of this machine")],
            "addresses": [
                { "type": "InternalIP", "address": "127.0.0.1" },
                { "type": "Hostname", "address": NAME },
            ],
            "nodeInfo": {
                "architecture": architecture(),
                "operatingSystem": std::env::consts::OS,
                "osImage": "this machine",
                "kernelVersion": kernel(),
                "containerRuntimeVersion": concat!("processes://", env!("CARGO_PKG_VERSION")),
                "kubeletVersion": version::full(),
                "kubeProxyVersion": "",
                "bootID": "", "machineID": "", "systemUUID": "",
            },
        },
    });
    // The store is new, so the node does not exist yet.
    let _ = store.create(&kinds::NODES, node);
}

fn capacity() -> Value {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    json!({ "cpu": cores.to_string(), "memory": format!("{}Ki", memory_kib()), "pods": MAX_PODS })
}

/// The machine's memory in KiB. If it is unknown: 64 GiB, so that it limits no pod.
fn memory_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(64 << 20)
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
