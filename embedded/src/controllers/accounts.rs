//! ServiceAccounts: creates `default` in every namespace.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::metadata::{is_terminating, meta};
use crate::store::{Key, Store};

pub(super) struct Accounts;

impl Controller for Accounts {
    const KINDS: &'static [&'static Kind] = &[&kinds::NAMESPACES, &kinds::SERVICE_ACCOUNTS];

    fn keys_for(&self, _: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        let field = if *kind == kinds::NAMESPACES { "name" } else { "namespace" };
        vec![Key::new(&kinds::NAMESPACES, "", meta(object, field))]
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let account = Key::new(&kinds::SERVICE_ACCOUNTS, key.name.as_str(), "default");
        let is_needed = store.get(key).is_some_and(|namespace| !is_terminating(&namespace));
        if is_needed && store.get(&account).is_none() {
            let new = json!({ "metadata": { "name": "default", "namespace": key.name } });
            // Refused if the namespace has been deleted meanwhile.
            let _ = store.create(&kinds::SERVICE_ACCOUNTS, new);
        }
        None
    }
}
