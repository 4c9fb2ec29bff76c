//! Every namespace has a ServiceAccount `default`, as pods expect.

use std::time::Duration;

use serde_json::{Value, json};

use super::work::Controller;
use crate::object::{is_leaving, meta};
use crate::store::{Key, Kind, Store, kinds};

pub(super) struct Accounts;

impl Controller for Accounts {
    const KINDS: &'static [&'static Kind] = &[&kinds::NAMESPACES, &kinds::SERVICE_ACCOUNTS];

    fn concerns(&self, _: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        let field = if *kind == kinds::NAMESPACES { "name" } else { "namespace" };
        vec![Key::new(&kinds::NAMESPACES, "", meta(object, field))]
    }

    fn look(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let account = Key::new(&kinds::SERVICE_ACCOUNTS, key.name.as_str(), "default");
        let wanted = store.get(key).is_some_and(|namespace| !is_leaving(&namespace));
        if wanted && store.get(&account).is_none() {
            let made = json!({ "metadata": { "name": "default", "namespace": key.name } });
            // Refused where the namespace went meanwhile.
            let _ = store.create(&kinds::SERVICE_ACCOUNTS, made);
        }
        None
    }
}
