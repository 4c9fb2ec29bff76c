//! What a new pod needs, whether a client or a controller creates it.

use serde_json::Value;

use super::metadata::meta;
use crate::kinds;
use crate::refusal::Refusal;
use crate::store::{Key, Store};

/// Largest number of pods in the cluster. More would fill this machine's memory, and the node runs 250 at most.
const MAX_PODS: usize = 2000;

/// Refuses a pod whose ServiceAccount does not exist, or for which there is no place in the cluster's memory. The
/// account `default` counts as existing, because its controller may not have created it yet.
pub(crate) fn check(store: &Store, pod: &Value) -> Result<(), Refusal> {
    let name = [meta(pod, "name"), meta(pod, "generateName")].into_iter().find(|name| !name.is_empty());
    let forbidden = |why: String| {
        let message = format!("pods {:?} is forbidden: {why}", name.unwrap_or_default());
        Err(Refusal::new(403, "Forbidden", message))
    };
    let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default");
    let namespace = meta(pod, "namespace");
    let key = Key::new(&kinds::SERVICE_ACCOUNTS, namespace, account);
    if account != "default" && store.get(&key).is_none() {
        return forbidden(format!(
            "error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found"
        ));
    }
    if store.list(&kinds::PODS, None).0.len() >= MAX_PODS {
        return forbidden(format!(
            "exceeded quota: embedded-cluster, requested: pods=1, used: pods={MAX_PODS}, limited: pods={MAX_PODS}"
        ));
    }
    Ok(())
}
