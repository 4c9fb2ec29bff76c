//! The one node: this machine.

use std::num::NonZero;

use serde_json::{Value, json};

use crate::store::{Store, kinds, now};

/// Its name.
pub(crate) const NAME: &str = "embedded";

/// Pods that one machine may have.
const PODS: &str = "250";

/// Adds the node, with the machine's cores and memory.
pub(super) fn register(store: &Store) {
    let room = room();
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
            "capacity": room,
            "allocatable": room,
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
                "kubeletVersion": "v1.34.0",
                "kubeProxyVersion": "",
                "bootID": "", "machineID": "", "systemUUID": "",
            },
        },
    });
    // The store is new, so the name is free.
    let _ = store.create(&kinds::NODES, node);
}

fn room() -> Value {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    json!({ "cpu": cores.to_string(), "memory": format!("{}Ki", memory_kib()), "pods": PODS })
}

/// The machine's memory in KiB; where it cannot be known, enough to be in nobody's way.
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
