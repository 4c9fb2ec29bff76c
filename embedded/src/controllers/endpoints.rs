//! Services: which pods stand behind each, in EndpointSlices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::pods;
use super::work::Controller;
use crate::object::{controller_uid, is_leaving, matches, meta, owned_by};
use crate::store::{DeleteOptions, Key, Kind, Store, kinds};

pub(super) struct Slices;

/// The label by which a Service's slices are found.
const SERVICE: &str = "kubernetes.io/service-name";

impl Controller for Slices {
    const KINDS: &'static [&'static Kind] = &[&kinds::SERVICES, &kinds::PODS, &kinds::ENDPOINT_SLICES];

    fn concerns(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        let namespace = meta(object, "namespace");
        if *kind == kinds::SERVICES {
            return vec![Key::of(kind, object)];
        }
        if *kind == kinds::ENDPOINT_SLICES {
            let service = object["metadata"]["labels"][SERVICE].as_str();
            return service.map(|name| Key::new(&kinds::SERVICES, namespace, name)).into_iter().collect();
        }
        let (services, _) = store.list(&kinds::SERVICES, Some(namespace));
        let labels = &object["metadata"]["labels"];
        let behind = services.iter().filter(|service| matches(&service["spec"]["selector"], labels));
        behind.map(|service| Key::of(&kinds::SERVICES, service)).collect()
    }

    fn look(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        // The slices of a Service that is gone are the garbage collector's.
        let service = store.get(key)?;
        if !service["spec"]["selector"].is_object() {
            return None;
        }
        let (slices, _) = store.list(&kinds::ENDPOINT_SLICES, Some(&key.namespace));
        let mut present: Vec<Arc<Value>> =
            slices.into_iter().filter(|slice| controller_uid(slice) == Some(meta(&service, "uid"))).collect();
        for (ports, endpoints) in wanted(store, &service) {
            let ports: Value = ports.into_iter().map(|port| port.to_value()).collect();
            let same = present.iter().position(|slice| slice["ports"] == ports);
            if let Some(slice) =
                same.or_else(|| (!present.is_empty()).then_some(0)).map(|at| present.remove(at))
            {
                let _ = store.update(&Key::of(&kinds::ENDPOINT_SLICES, &slice), |slice| {
                    (slice["ports"], slice["endpoints"]) = (ports, json!(endpoints));
                    Ok(())
                });
            } else {
                let _ = store.create(&kinds::ENDPOINT_SLICES, slice(&service, &ports, &endpoints));
            }
        }
        for slice in present {
            let _ = store.delete(&Key::of(&kinds::ENDPOINT_SLICES, &slice), &DeleteOptions::default());
        }
        None
    }
}

/// A port of a Service as it is in some pods: a named target may be another number in each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Port {
    name: String,
    number: u16,
    protocol: String,
}

impl Port {
    fn to_value(&self) -> Value {
        json!({ "name": self.name, "port": self.number, "protocol": self.protocol })
    }
}

/// The pods behind a Service, together where their ports are the same.
fn wanted(store: &Store, service: &Value) -> BTreeMap<Vec<Port>, Vec<Value>> {
    let (pods, _) = store.list(&kinds::PODS, Some(meta(service, "namespace")));
    let mut wanted: BTreeMap<Vec<Port>, Vec<Value>> = BTreeMap::new();
    for pod in pods {
        let behind = matches(&service["spec"]["selector"], &pod["metadata"]["labels"]);
        let Some(address) = pod["status"]["podIP"].as_str().filter(|_| behind && !pods::has_ended(&pod))
        else {
            continue;
        };
        let (serving, leaving) = (pods::is_ready(&pod), is_leaving(&pod));
        let anyway = service["spec"]["publishNotReadyAddresses"] == json!(true);
        wanted.entry(ports(service, &pod)).or_default().push(json!({
            "addresses": [address],
            "conditions": { "ready": anyway || (serving && !leaving), "serving": serving, "terminating": leaving },
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": {
                "kind": "Pod",
                "namespace": meta(&pod, "namespace"),
                "name": meta(&pod, "name"),
                "uid": meta(&pod, "uid"),
            },
        }));
    }
    if wanted.is_empty() {
        wanted.insert(Vec::new(), Vec::new());
    }
    wanted
}

fn ports(service: &Value, pod: &Value) -> Vec<Port> {
    let ports = service["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let port = |port: &Value| {
        let target = if port["targetPort"].is_null() { &port["port"] } else { &port["targetPort"] };
        Some(Port {
            name: port["name"].as_str().unwrap_or_default().to_owned(),
            number: container_port(&pod["spec"], target)?,
            protocol: port["protocol"].as_str().unwrap_or("TCP").to_owned(),
        })
    };
    ports.iter().filter_map(port).collect()
}

/// The number of a port that is given by number or by the name that a container has for it.
pub(crate) fn container_port(spec: &Value, port: &Value) -> Option<u16> {
    if let Some(number) = port.as_u64() {
        return u16::try_from(number).ok();
    }
    let name = port.as_str()?;
    let containers = spec["containers"].as_array()?;
    let named = containers.iter().flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let found = named.into_iter().find(|port| port["name"] == name)?["containerPort"].as_u64();
    u16::try_from(found?).ok()
}

fn slice(service: &Value, ports: &Value, endpoints: &[Value]) -> Value {
    json!({
        "metadata": {
            "generateName": format!("{}-", meta(service, "name")),
            "namespace": meta(service, "namespace"),
            "labels": {
                SERVICE: meta(service, "name"),
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            "ownerReferences": [owned_by(&kinds::SERVICES, service)],
        },
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": endpoints,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_port_is_each_pod_s_own() {
        let pod = |number: u16| json!({ "spec": { "containers": [{ "ports": [{ "name": "http", "containerPort": number }] }] } });
        let service = json!({ "spec": { "ports": [{ "name": "web", "port": 80, "targetPort": "http" }] } });
        assert_eq!(ports(&service, &pod(8000))[0].number, 8000);
        assert_eq!(ports(&service, &pod(9000))[0].number, 9000);
        let service = json!({ "spec": { "ports": [{ "port": 80 }] } });
        assert_eq!(ports(&service, &pod(8000))[0].number, 80, "its own number unless there is a target");
    }
}
