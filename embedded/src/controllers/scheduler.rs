//! The scheduler: assigns a pod to the node if its requests fit beside those of the other pods.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::events::Recorder;
use crate::object::metadata::meta;
use crate::object::pods::{has_ended, is_active, is_scheduled};
use crate::object::quantity::thousandths;
use crate::object::{conditions, node};
use crate::store::{Key, Store};

pub(super) struct Scheduler;

const EVENTS: Recorder = Recorder("default-scheduler");

impl Controller for Scheduler {
    const KINDS: &'static [&'static Kind] = &[&kinds::PODS, &kinds::NODES];

    fn keys_for(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        let is_waiting = |pod: &Value| !is_scheduled(pod) && is_active(pod);
        if *kind == kinds::PODS && is_waiting(object) {
            return vec![Key::of(kind, object)];
        }
        // Another pod may have ended and made room for the waiting pods.
        let (pods, _) = store.list(&kinds::PODS, None);
        pods.iter().filter(|pod| is_waiting(pod)).map(|pod| Key::of(&kinds::PODS, pod)).collect()
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let pod = store.get(key)?;
        if is_scheduled(&pod) || !is_active(&pod) {
            return None;
        }
        let node = store.get(&Key::new(&kinds::NODES, "", node::NAME))?;
        let (pods, _) = store.list(&kinds::PODS, None);
        let scheduled = pods.iter().filter(|pod| is_scheduled(pod) && !has_ended(pod));
        let used =
            scheduled.fold(Resources::default(), |sum, pod| sum.plus(Resources::requested(&pod["spec"])));
        let allocatable = Resources::of(&node["status"]["allocatable"]);
        let needed = used.plus(Resources::requested(&pod["spec"]));
        match selector_mismatch(&pod, &node).or_else(|| allocatable.shortage(needed)) {
            None => bind(store, key, &pod),
            Some(reason) => mark_unschedulable(store, key, &pod, reason),
        }
        None
    }
}

fn bind(store: &Store, key: &Key, pod: &Value) {
    let bound = store.update(key, |pod| {
        pod["spec"]["nodeName"] = json!(node::NAME);
        conditions::set(&mut pod["status"]["conditions"], "PodScheduled", "True", "", "");
        Ok(())
    });
    if bound.is_ok() {
        let (namespace, name) = (meta(pod, "namespace"), meta(pod, "name"));
        let message = format!("Successfully assigned {namespace}/{name} to {}", node::NAME);
        EVENTS.normal(store, &kinds::PODS, pod, "Scheduled", &message);
    }
}

fn mark_unschedulable(store: &Store, key: &Key, pod: &Value, reason: &str) {
    let message = format!("0/1 nodes are available: 1 {reason}.");
    let present = conditions::of_object(pod, "PodScheduled");
    if present.is_some_and(|condition| condition["message"] == message) {
        return;
    }
    let marked = store.update(key, |pod| {
        let list = &mut pod["status"]["conditions"];
        conditions::set(list, "PodScheduled", "False", "Unschedulable", &message);
        Ok(())
    });
    if marked.is_ok() {
        EVENTS.warning(store, &kinds::PODS, pod, "FailedScheduling", &message);
    }
}

fn selector_mismatch(pod: &Value, node: &Value) -> Option<&'static str> {
    let wanted = pod["spec"]["nodeSelector"].as_object()?;
    let labels = &node["metadata"]["labels"];
    let matches = wanted.iter().all(|(key, value)| labels.get(key) == Some(value));
    (!matches).then_some("node(s) didn't match Pod's node affinity/selector")
}

/// The resources that decide about scheduling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Resources {
    /// Thousandths of a core.
    cpu: i64,
    /// Thousandths of a byte, because a quantity can be that small.
    memory: i128,
    pods: i64,
}

impl Resources {
    fn of(resources: &Value) -> Self {
        let milli = |name: &str| thousandths(&resources[name]).unwrap_or(0);
        Self {
            cpu: i64::try_from(milli("cpu")).unwrap_or(i64::MAX),
            memory: milli("memory"),
            pods: i64::try_from(milli("pods") / 1000).unwrap_or(i64::MAX),
        }
    }

    /// The sum of the containers' requests. A limit without a request counts as a request.
    fn requested(spec: &Value) -> Self {
        let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let sum = containers.iter().fold(Self::default(), |sum, container| {
            let resources = &container["resources"];
            let of = |name: &str| {
                let request = &resources["requests"][name];
                let value = if request.is_null() { &resources["limits"][name] } else { request };
                thousandths(value).unwrap_or(0)
            };
            let cpu = i64::try_from(of("cpu")).unwrap_or(i64::MAX);
            sum.plus(Self { cpu, memory: of("memory"), pods: 0 })
        });
        Self { pods: 1, ..sum }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            memory: self.memory.saturating_add(other.memory),
            pods: self.pods.saturating_add(other.pods),
        }
    }

    /// Why `needed` does not fit. `None` if it fits.
    fn shortage(self, needed: Self) -> Option<&'static str> {
        if needed.pods > self.pods {
            Some("Too many pods")
        } else if needed.cpu > self.cpu {
            Some("Insufficient cpu")
        } else if needed.memory > self.memory {
            Some("Insufficient memory")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_that_is_too_small_is_named() {
        let node = Resources::of(&json!({ "cpu": "2", "memory": "1Gi", "pods": "10" }));
        let pod = |cpu: &str, memory: &str| {
            let requests = json!({ "cpu": cpu, "memory": memory });
            Resources::requested(&json!({ "containers": [{ "resources": { "requests": requests } }] }))
        };
        assert_eq!(node.shortage(pod("2", "1Gi")), None);
        assert_eq!(node.shortage(pod("2001m", "1Gi")), Some("Insufficient cpu"));
        assert_eq!(node.shortage(pod("1", "2Gi")), Some("Insufficient memory"));
        assert_eq!(
            node.shortage(pod("1", "1Mi").plus(Resources { pods: 10, ..Resources::default() })),
            Some("Too many pods")
        );
    }
}
