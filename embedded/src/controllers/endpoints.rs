//! EndpointSlices: the addresses of the pods that each Service selects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::labels::service_selects;
use crate::object::metadata::{is_terminating, meta};
use crate::object::owners::{controller_reference, is_controlled_by};
use crate::object::pods;
use crate::object::ports::container_port;
use crate::store::{DeleteOptions, Key, Store};

pub(super) struct EndpointSlices;

/// The label that connects a slice to its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

impl Controller for EndpointSlices {
    const KINDS: &'static [&'static Kind] = &[&kinds::SERVICES, &kinds::PODS, &kinds::ENDPOINT_SLICES];

    fn keys_for(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        let namespace = meta(object, "namespace");
        if *kind == kinds::SERVICES {
            return vec![Key::of(kind, object)];
        }
        if *kind == kinds::ENDPOINT_SLICES {
            let service = object["metadata"]["labels"][SERVICE_NAME].as_str();
            return service.map(|name| Key::new(&kinds::SERVICES, namespace, name)).into_iter().collect();
        }
        let (services, _) = store.list(&kinds::SERVICES, Some(namespace));
        let labels = &object["metadata"]["labels"];
        let selecting =
            services.iter().filter(|service| service_selects(&service["spec"]["selector"], labels));
        selecting.map(|service| Key::of(&kinds::SERVICES, service)).collect()
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        // If the Service is deleted, the garbage collector deletes its slices.
        let service = store.get(key)?;
        if !service["spec"]["selector"].is_object() {
            return None;
        }
        let (slices, _) = store.list(&kinds::ENDPOINT_SLICES, Some(&key.namespace));
        let mut present: Vec<Arc<Value>> =
            slices.into_iter().filter(|slice| is_controlled_by(slice, &service)).collect();
        for (ports, endpoints) in desired(store, &service) {
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

/// A port of a Service in a pod. A named target port may have another number in each pod.
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

/// The endpoints of a Service, grouped by their ports.
fn desired(store: &Store, service: &Value) -> BTreeMap<Vec<Port>, Vec<Value>> {
    let (pods, _) = store.list(&kinds::PODS, Some(meta(service, "namespace")));
    let mut groups: BTreeMap<Vec<Port>, Vec<Value>> = BTreeMap::new();
    for pod in pods {
        if !service_selects(&service["spec"]["selector"], &pod["metadata"]["labels"]) || pods::has_ended(&pod)
        {
            continue;
        }
        let Some(address) = pod["status"]["podIP"].as_str() else { continue };
        let (serving, terminating) = (pods::is_ready(&pod), is_terminating(&pod));
        let always_ready = service["spec"]["publishNotReadyAddresses"] == json!(true);
        groups.entry(ports(service, &pod)).or_default().push(json!({
            "addresses": [address],
            "conditions": {
                "ready": always_ready || (serving && !terminating),
                "serving": serving,
                "terminating": terminating,
            },
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": {
                "kind": "Pod",
                "namespace": meta(&pod, "namespace"),
                "name": meta(&pod, "name"),
                "uid": meta(&pod, "uid"),
            },
        }));
    }
    if groups.is_empty() {
        groups.insert(Vec::new(), Vec::new());
    }
    groups
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

fn slice(service: &Value, ports: &Value, endpoints: &[Value]) -> Value {
    json!({
        "metadata": {
            "generateName": format!("{}-", meta(service, "name")),
            "namespace": meta(service, "namespace"),
            "labels": {
                SERVICE_NAME: meta(service, "name"),
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            "ownerReferences": [controller_reference(&kinds::SERVICES, service)],
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
    fn a_named_target_port_is_resolved_in_each_pod() {
        let pod = |number: u16| json!({ "spec": { "containers": [{ "ports": [{ "name": "http", "containerPort": number }] }] } });
        let service = json!({ "spec": { "ports": [{ "name": "web", "port": 80, "targetPort": "http" }] } });
        assert_eq!(ports(&service, &pod(8000))[0].number, 8000);
        assert_eq!(ports(&service, &pod(9000))[0].number, 9000);
        let service = json!({ "spec": { "ports": [{ "port": 80 }] } });
        assert_eq!(ports(&service, &pod(8000))[0].number, 80, "the target port defaults to the port");
    }
}
