//! What an object is kept under.

use serde_json::Value;

use super::kinds::Kind;

/// Kind, namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its namespace; empty for a kind that lives in none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// A key. The namespace of a kind that lives in none is dropped.
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
