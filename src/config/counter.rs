//! The service's own counter of requests: its name and its labels.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The counter of the stub, and of a service that counts as it does.
const COUNTER: &str = "inference_requests_total";
/// The stub's gauge of requests under way.
const UNDER_WAY: &str = "inference_requests_in_flight";

/// How the service counts its requests. In the settings file a name is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct Counter {
    /// The counter's name on the metrics page.
    pub name: String,
    /// The label with the endpoint. If unset, the first that a value has of `endpoint`, `handler`, `route`, `path`,
    /// `uri`, `grpc_method` and `model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The label with the status. If unset, the first that a value has of `status`, `code`, `status_code`,
    /// `http_status` and `grpc_code`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The label with the client's name. If unset, `caller`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Only values with these labels count; empty if the load is told apart by the caller.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The gauge of requests that are started and not finished.
    pub under_way: String,
}

impl Default for Counter {
    fn default() -> Self {
        Self {
            name: COUNTER.into(),
            endpoint: None,
            status: None,
            caller: None,
            labels: BTreeMap::new(),
            under_way: UNDER_WAY.into(),
        }
    }
}

impl Counter {
    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        let labels = [&self.endpoint, &self.status, &self.caller].into_iter().flatten();
        let names = [&self.name, &self.under_way].into_iter().chain(labels).chain(self.labels.keys());
        let is_wrong =
            |name: &&String| name.is_empty() || name.contains(['{', '}', '"', ',', '=', '#', ' ', '\n']);
        names.into_iter().find(is_wrong).map(|name| format!("'{name}' is not the name of a metric or label"))
    }
}

impl<'de> Deserialize<'de> for Counter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrFields)
    }
}

/// All fields of a counter, each of which may be missing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    name: String,
    endpoint: Option<String>,
    status: Option<String>,
    caller: Option<String>,
    labels: BTreeMap<String, String>,
    under_way: String,
}

impl Default for Fields {
    fn default() -> Self {
        let Counter { name, endpoint, status, caller, labels, under_way } = Counter::default();
        Self { name, endpoint, status, caller, labels, under_way }
    }
}

struct NameOrFields;

impl<'de> Visitor<'de> for NameOrFields {
    type Value = Counter;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a counter, or name, endpoint, status, caller, labels and under_way")
    }

    fn visit_str<E>(self, name: &str) -> Result<Counter, E> {
        Ok(Counter { name: name.to_owned(), ..Counter::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Counter, A::Error> {
        let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
        let Fields { name, endpoint, status, caller, labels, under_way } = fields;
        Ok(Counter { name, endpoint, status, caller, labels, under_way })
    }
}
