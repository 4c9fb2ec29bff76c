//! The scheduler: assigns a pod to the node if its requests fit beside those of the other pods.

use std::collections::BTreeMap;
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
        let mut needed = Resources::requested(&pod["spec"]);
        scheduled.for_each(|pod| needed.add(Resources::requested(&pod["spec"])));
        let allocatable = Resources::of(&node["status"]["allocatable"]);
        match cordon(&node)
            .or_else(|| selector_mismatch(&pod, &node))
            .or_else(|| allocatable.shortage(&needed))
        {
            None => bind(store, key, &pod),
            Some(reason) => mark_unschedulable(store, key, &pod, &reason),
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
    // The event first, as Kubernetes does: whoever sees the condition finds the event.
    EVENTS.warning(store, &kinds::PODS, pod, "FailedScheduling", &message);
    // A pod that was deleted meanwhile needs no condition.
    let _ = store.update(key, |pod| {
        let list = &mut pod["status"]["conditions"];
        conditions::set(list, "PodScheduled", "False", "Unschedulable", &message);
        Ok(())
    });
}

fn cordon(node: &Value) -> Option<String> {
    (node["spec"]["unschedulable"] == true).then(|| "node(s) were unschedulable".into())
}

fn selector_mismatch(pod: &Value, node: &Value) -> Option<String> {
    let wanted = pod["spec"]["nodeSelector"].as_object()?;
    let labels = &node["metadata"]["labels"];
    let matches = wanted.iter().all(|(key, value)| labels.get(key) == Some(value));
    (!matches).then(|| "node(s) didn't match Pod's node affinity/selector".into())
}

/// The resources that decide about scheduling, each in thousandths of its unit: `cpu`, `memory`, `pods`, and
/// resources of devices such as `nvidia.com/gpu`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Resources(BTreeMap<String, i128>);

impl Resources {
    fn of(resources: &Value) -> Self {
        let amounts = resources.as_object().into_iter().flatten();
        // This cluster does not limit what pods write.
        let amounts = amounts.filter(|(name, _)| *name != "ephemeral-storage");
        Self(amounts.filter_map(|(name, amount)| Some((name.clone(), thousandths(amount)?))).collect())
    }

    /// The sum of the containers' requests. A limit without a request counts as a request.
    fn requested(spec: &Value) -> Self {
        let mut sum = Self([("pods".to_owned(), 1000)].into());
        for container in spec["containers"].as_array().into_iter().flatten() {
            let mut requested = Self::of(&container["resources"]["limits"]);
            requested.0.extend(Self::of(&container["resources"]["requests"]).0);
            sum.add(requested);
        }
        sum
    }

    fn add(&mut self, other: Self) {
        for (name, amount) in other.0 {
            let sum = self.0.entry(name).or_default();
            *sum = sum.saturating_add(amount);
        }
    }

    /// Why `needed` does not fit, in Kubernetes' words and order. `None` if it fits.
    fn shortage(&self, needed: &Self) -> Option<String> {
        let short =
            needed.0.iter().filter(|(name, amount)| **amount > self.0.get(*name).copied().unwrap_or(0));
        let mut reasons: Vec<String> = short
            .map(
                |(name, _)| {
                    if name == "pods" { "Too many pods".into() } else { format!("Insufficient {name}") }
                },
            )
            .collect();
        reasons.sort_unstable();
        (!reasons.is_empty()).then(|| reasons.join(", 1 "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resources_that_are_too_small_are_named() {
        let node = Resources::of(&json!({ "cpu": "2", "memory": "1Gi", "pods": "10" }));
        let pod = |requests: Value| {
            Resources::requested(&json!({ "containers": [{ "resources": { "requests": requests } }] }))
        };
        let shortage = |requests: Value| node.shortage(&pod(requests)).unwrap_or_default();
        assert_eq!(shortage(json!({ "cpu": "2", "memory": "1Gi", "ephemeral-storage": "1Ti" })), "");
        assert_eq!(shortage(json!({ "cpu": "2001m", "memory": "1Gi" })), "Insufficient cpu");
        assert_eq!(shortage(json!({ "cpu": "1", "nvidia.com/gpu": 1 })), "Insufficient nvidia.com/gpu");
        assert_eq!(shortage(json!({ "nvidia.com/gpu": "0" })), "");
        let both = json!({ "cpu": "3", "memory": "2Gi", "nvidia.com/gpu": "1" });
        assert_eq!(shortage(both), "Insufficient cpu, 1 Insufficient memory, 1 Insufficient nvidia.com/gpu");
        let mut full = pod(json!({}));
        full.add(Resources([("pods".to_owned(), 10_000)].into()));
        assert_eq!(node.shortage(&full).as_deref(), Some("Too many pods"));
        let limited = json!({ "containers": [{ "resources": { "limits": { "nvidia.com/gpu": 1 } } }] });
        assert_eq!(
            node.shortage(&Resources::requested(&limited)).as_deref(),
            Some("Insufficient nvidia.com/gpu")
        );
    }
}
