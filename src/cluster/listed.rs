//! Objects as a watch tells them.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::runtime::watcher::Event;

/// Objects as a watch tells them, by their UIDs.
#[derive(Debug)]
pub(super) struct Listed<K> {
    /// The objects as of the last complete list, and the changes since then.
    known: Option<BTreeMap<String, K>>,
    /// The part of a new list that has been read. It replaces the old one when it is complete.
    coming: BTreeMap<String, K>,
}

impl<K> Default for Listed<K> {
    fn default() -> Self {
        Self { known: None, coming: BTreeMap::new() }
    }
}

impl<K: ResourceExt> Listed<K> {
    pub(super) fn apply(&mut self, event: Event<K>) {
        let uid = |object: &K| object.uid().unwrap_or_default();
        match event {
            Event::Init => self.coming = BTreeMap::new(),
            Event::InitApply(object) => drop(self.coming.insert(uid(&object), object)),
            Event::InitDone => self.known = Some(std::mem::take(&mut self.coming)),
            Event::Apply(object) => {
                self.known.get_or_insert_default().insert(uid(&object), object);
            }
            Event::Delete(object) => {
                self.known.get_or_insert_default().remove(&uid(&object));
            }
        }
    }

    /// The objects; `None` before the first list is complete.
    pub(super) const fn complete(&self) -> Option<&BTreeMap<String, K>> {
        self.known.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    #[test]
    fn nothing_is_known_until_a_list_is_complete_and_a_new_list_replaces_the_old_one() {
        let one = |name: &str| -> Pod {
            serde_json::from_value(json!({ "metadata": { "name": name, "uid": name } })).unwrap()
        };
        let names = |pods: &Listed<Pod>| {
            pods.complete().map(|known| known.keys().cloned().collect::<Vec<_>>().join(" "))
        };
        let mut pods = Listed::default();
        for (event, known) in vec![
            (Event::Init, None),
            (Event::InitApply(one("a")), None),
            (Event::InitApply(one("b")), None),
            (Event::InitDone, Some("a b")),
            (Event::Apply(one("c")), Some("a b c")),
            (Event::Delete(one("a")), Some("b c")),
            // The watch was lost for a while, in which b was deleted.
            (Event::Init, Some("b c")),
            (Event::InitApply(one("c")), Some("b c")),
            (Event::InitDone, Some("c")),
        ] {
            pods.apply(event);
            assert_eq!(names(&pods).as_deref(), known);
        }
    }
}
