//! The scheduler: does a pod's request fit beside the others on this machine?

use std::time::Duration;

use serde_json::{Value, json};

use super::events::Source;
use super::work::Controller;
use super::{node, pods};
use crate::object::{meta, set_condition};
use crate::store::{Key, Kind, Store, kinds};

pub(super) struct Scheduler;

const SOURCE: Source = Source("default-scheduler");

impl Controller for Scheduler {
    const KINDS: &'static [&'static Kind] = &[&kinds::PODS, &kinds::NODES];

    fn concerns(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        let waits = |pod: &Value| pod["spec"]["nodeName"].is_null() && pods::is_active(pod);
        if *kind == kinds::PODS && waits(object) {
            return vec![Key::of(kind, object)];
        }
        // Another pod's end may have made room.
        let (pods, _) = store.list(&kinds::PODS, None);
        pods.iter().filter(|pod| waits(pod)).map(|pod| Key::of(&kinds::PODS, pod)).collect()
    }

    fn look(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let pod = store.get(key)?;
        if pod["spec"]["nodeName"].is_string() || !pods::is_active(&pod) {
            return None;
        }
        let node = store.get(&Key::new(&kinds::NODES, "", node::NAME))?;
        let (pods, _) = store.list(&kinds::PODS, None);
        let placed = pods.iter().filter(|pod| pod["spec"]["nodeName"].is_string() && !pods::has_ended(pod));
        let used = placed.fold(Room::default(), |sum, pod| sum.plus(Room::asked_by(&pod["spec"])));
        let free = Room::of(&node["status"]["allocatable"]);
        let unfit =
            selector_problem(&pod, &node).or_else(|| free.lacks(used.plus(Room::asked_by(&pod["spec"]))));
        match unfit {
            None => place(store, key, &pod),
            Some(lack) => refuse(store, key, &pod, lack),
        }
        None
    }
}

fn place(store: &Store, key: &Key, pod: &Value) {
    let bound = store.update(key, |pod| {
        pod["spec"]["nodeName"] = json!(node::NAME);
        set_condition(&mut pod["status"]["conditions"], "PodScheduled", "True", "", "");
        Ok(())
    });
    if bound.is_ok() {
        let (namespace, name) = (meta(pod, "namespace"), meta(pod, "name"));
        let message = format!("Successfully assigned {namespace}/{name} to {}", node::NAME);
        SOURCE.normal(store, &kinds::PODS, pod, "Scheduled", &message);
    }
}

fn refuse(store: &Store, key: &Key, pod: &Value, lack: &str) {
    let message = format!("0/1 nodes are available: 1 {lack}.");
    let told = crate::object::condition(pod, "PodScheduled").is_some_and(|told| told["message"] == message);
    if told {
        return;
    }
    let marked = store.update(key, |pod| {
        let conditions = &mut pod["status"]["conditions"];
        set_condition(conditions, "PodScheduled", "False", "Unschedulable", &message);
        Ok(())
    });
    if marked.is_ok() {
        SOURCE.warning(store, &kinds::PODS, pod, "FailedScheduling", &message);
    }
}

fn selector_problem(pod: &Value, node: &Value) -> Option<&'static str> {
    let wanted = pod["spec"]["nodeSelector"].as_object()?;
    let labels = &node["metadata"]["labels"];
    let fits = wanted.iter().all(|(key, value)| labels.get(key) == Some(value));
    (!fits).then_some("node(s) didn't match Pod's node affinity/selector")
}

/// Processor time, memory and places for pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Room {
    /// Thousandths of a core.
    cpu: i64,
    /// Thousandths of a byte: a quantity may be that small.
    memory: i128,
    pods: i64,
}

impl Room {
    fn of(resources: &Value) -> Self {
        let milli = |name: &str| quantity(&resources[name]).unwrap_or(0);
        Self {
            cpu: i64::try_from(milli("cpu")).unwrap_or(i64::MAX),
            memory: milli("memory"),
            pods: i64::try_from(milli("pods") / 1000).unwrap_or(i64::MAX),
        }
    }

    /// What a pod's containers ask for together; where they name only a limit, that.
    fn asked_by(spec: &Value) -> Self {
        let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let asked = containers.iter().fold(Self::default(), |sum, container| {
            let resources = &container["resources"];
            let of = |name: &str| {
                let request = &resources["requests"][name];
                let value = if request.is_null() { &resources["limits"][name] } else { request };
                quantity(value).unwrap_or(0)
            };
            let cpu = i64::try_from(of("cpu")).unwrap_or(i64::MAX);
            sum.plus(Self { cpu, memory: of("memory"), pods: 0 })
        });
        Self { pods: 1, ..asked }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            memory: self.memory.saturating_add(other.memory),
            pods: self.pods.saturating_add(other.pods),
        }
    }

    /// What there is too little of for `wanted`.
    fn lacks(self, wanted: Self) -> Option<&'static str> {
        if wanted.pods > self.pods {
            Some("Too many pods")
        } else if wanted.cpu > self.cpu {
            Some("Insufficient cpu")
        } else if wanted.memory > self.memory {
            Some("Insufficient memory")
        } else {
            None
        }
    }
}

/// The units of quantities, in thousandths.
const UNITS: [(&str, i128); 14] = [
    ("Ki", 1000 << 10),
    ("Mi", 1000 << 20),
    ("Gi", 1000 << 30),
    ("Ti", 1000 << 40),
    ("Pi", 1000 << 50),
    ("Ei", 1000 << 60),
    ("m", 1),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("u", 0),
    ("n", 0),
];

/// A quantity of Kubernetes in thousandths: `250m`, `2Gi`, `1.5`, `1e3`.
pub(crate) fn quantity(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (number, unit) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((&text, 1000));
    let number: f64 = number.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "a quantity's thousandth is as fine as it gets")]
    let milli = (number * unit as f64).ceil() as i128;
    Some(milli)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, milli) in [
            ("250m", 250),
            ("2", 2000),
            ("1.5", 1500),
            ("1Ki", 1_024_000),
            ("2Gi", 2_147_483_648_000),
            ("1k", 1_000_000),
        ] {
            assert_eq!(quantity(&json!(text)), Some(milli), "{text}");
        }
        assert_eq!(quantity(&json!(1)), Some(1000));
        assert_eq!(quantity(&json!("much")), None);
    }

    #[test]
    fn what_is_lacking_is_named() {
        let node = Room::of(&json!({ "cpu": "2", "memory": "1Gi", "pods": "10" }));
        let pod = |cpu: &str, memory: &str| {
            let requests = json!({ "cpu": cpu, "memory": memory });
            Room::asked_by(&json!({ "containers": [{ "resources": { "requests": requests } }] }))
        };
        assert_eq!(node.lacks(pod("2", "1Gi")), None);
        assert_eq!(node.lacks(pod("2001m", "1Gi")), Some("Insufficient cpu"));
        assert_eq!(node.lacks(pod("1", "2Gi")), Some("Insufficient memory"));
        assert_eq!(
            node.lacks(pod("1", "1Mi").plus(Room { pods: 10, ..Room::default() })),
            Some("Too many pods")
        );
    }
}
