//! The key of an object.

use serde_json::Value;

use crate::kinds::Kind;

/// Kind, namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its namespace. Empty for a kind without namespaces.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// A key. The namespace is ignored for a kind without namespaces.
    pub fn new(kind: &'static Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        let namespace = if kind.namespaced { namespace.into() } else { String::new() };
        Self { kind, namespace, name: name.into() }
    }

    /// The key of an object of this kind, from its metadata.
    pub fn of(kind: &'static Kind, object: &Value) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        Self::new(kind, text("namespace"), text("name"))
    }
}
