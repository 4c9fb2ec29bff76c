//! The load balancer: it opens the ports of every service, as kube-proxy does.
//!
//! Each service has its own address. Each TCP connection goes to a random ready pod. While no pod is ready,
//! the port is closed, so that connections are refused at once.

mod service_port;
mod threads;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::addresses::Addresses;
use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::metadata::meta;
use crate::store::{Key, Store};
use service_port::ServicePort;
pub(crate) use threads::Threads;

/// Time until the next attempt to open a port that is in use.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The load balancer. It holds the open ports of each service.
pub(crate) struct Proxy {
    addresses: Arc<Addresses>,
    threads: Handle,
    open: HashMap<Key, BTreeMap<u16, ServicePort>>,
}

impl Proxy {
    /// A load balancer that accepts and forwards connections on these threads.
    pub(crate) fn new(addresses: Arc<Addresses>, threads: Handle) -> Self {
        Self { addresses, threads, open: HashMap::new() }
    }
}

impl Controller for Proxy {
    const KINDS: &'static [&'static Kind] = &[&kinds::SERVICES, &kinds::ENDPOINT_SLICES];

    fn keys_for(&self, _: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        if *kind == kinds::SERVICES {
            return vec![Key::of(kind, object)];
        }
        let service = object["metadata"]["labels"]["kubernetes.io/service-name"].as_str();
        service.map(|name| Key::new(&kinds::SERVICES, meta(object, "namespace"), name)).into_iter().collect()
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let service = store.get(key).filter(|service| service["spec"]["clusterIP"] != "None");
        let Some(service) = service else {
            self.open.remove(key);
            return None;
        };
        let address = IpAddr::from(self.addresses.of_service(&key.namespace, &key.name));
        let cluster_ip = json!(address.to_string());
        let _ = store.update(key, |service| {
            service["spec"]["clusterIPs"] = json!([cluster_ip]);
            service["spec"]["clusterIP"] = cluster_ip;
            Ok(())
        });
        let mut desired = backends(store, &service);
        desired.retain(|_, backends| !backends.is_empty());
        let open = self.open.entry(key.clone()).or_default();
        open.retain(|port, _| desired.contains_key(port));
        let mut again = None;
        for (port, backends) in desired {
            match open.get(&port) {
                Some(open) => open.set_backends(backends),
                None => match ServicePort::open(&self.threads, SocketAddr::from((address, port)), backends) {
                    Ok(opened) => drop(open.insert(port, opened)),
                    Err(error) => {
                        eprintln!("service {}/{}: {address}:{port}: {error}", key.namespace, key.name);
                        again = Some(RETRY_AFTER);
                    }
                },
            }
        }
        again
    }
}

/// The addresses of the ready pods for each port of a service.
fn backends(store: &Store, service: &Value) -> BTreeMap<u16, Vec<SocketAddr>> {
    let (slices, _) = store.list(&kinds::ENDPOINT_SLICES, Some(meta(service, "namespace")));
    let name = meta(service, "name");
    let mut backends: BTreeMap<u16, Vec<SocketAddr>> = BTreeMap::new();
    for slice in slices {
        if slice["metadata"]["labels"]["kubernetes.io/service-name"] != name {
            continue;
        }
        for port in service["spec"]["ports"].as_array().into_iter().flatten() {
            let Some(number) = to_port(&port["port"]) else { continue };
            let port_name = port["name"].as_str().unwrap_or_default();
            let mut targets = slice["ports"].as_array().into_iter().flatten();
            let target = targets.find(|target| target["name"].as_str().unwrap_or_default() == port_name);
            let Some(target) = target.and_then(|target| to_port(&target["port"])) else { continue };
            let ready = slice["endpoints"].as_array().into_iter().flatten();
            let ready = ready.filter(|endpoint| endpoint["conditions"]["ready"] != false);
            let addresses =
                ready.filter_map(|endpoint| endpoint["addresses"][0].as_str()?.parse::<IpAddr>().ok());
            backends
                .entry(number)
                .or_default()
                .extend(addresses.map(|address| SocketAddr::from((address, target))));
        }
    }
    backends
}

fn to_port(value: &Value) -> Option<u16> {
    u16::try_from(value.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ready_endpoints_receive_connections() {
        let store = Store::new();
        let endpoint =
            |address: &str, ready: bool| json!({ "addresses": [address], "conditions": { "ready": ready } });
        let slice = json!({
            "metadata": { "name": "s-1", "namespace": "default", "labels": { "kubernetes.io/service-name": "s" } },
            "ports": [{ "name": "web", "port": 8089 }, { "name": "workers", "port": 5557 }],
            "endpoints": [endpoint("127.64.0.1", true), endpoint("127.64.0.2", false)],
        });
        store.create(&kinds::ENDPOINT_SLICES, slice).unwrap();
        let service = json!({
            "metadata": { "name": "s", "namespace": "default" },
            "spec": { "ports": [{ "name": "web", "port": 80 }, { "name": "workers", "port": 5557 }] },
        });
        let expected = BTreeMap::from([
            (80, vec!["127.64.0.1:8089".parse().unwrap()]),
            (5557, vec!["127.64.0.1:5557".parse().unwrap()]),
        ]);
        assert_eq!(backends(&store, &service), expected);
    }
}
