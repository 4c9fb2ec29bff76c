//! The services that a container can reach, with their names and addresses.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::Value;

use super::substitute::{Substitution, names_of};
use crate::addresses::Addresses;
use crate::kinds;
use crate::object::metadata::meta;
use crate::store::Store;

/// A service that has an address.
#[derive(Clone, Debug)]
pub(crate) struct NamedService {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) object: Arc<Value>,
}

/// All services that have an address. Headless services have none.
pub(crate) fn all(store: &Store, addresses: &Addresses) -> Vec<NamedService> {
    let (services, _) = store.list(&kinds::SERVICES, None);
    let with_address = services.into_iter().filter(|service| service["spec"]["clusterIP"] != "None");
    with_address
        .map(|object| {
            let (namespace, name) = (meta(&object, "namespace").to_owned(), meta(&object, "name").to_owned());
            let address = addresses.of_service(&namespace, &name);
            NamedService { namespace, name, address, object }
        })
        .collect()
}

/// Replaces 0.0.0.0 by the pod's address and names of services by their addresses.
pub(crate) fn substitution(
    store: &Store,
    addresses: &Addresses,
    namespace: &str,
    address: Ipv4Addr,
) -> Substitution {
    let mut substitution = Substitution { address: Some(address), ..Substitution::default() };
    for service in all(store, addresses) {
        for name in names_of(&service.name, &service.namespace, namespace) {
            substitution.names.insert(name, service.address);
        }
    }
    substitution
}
