//! The parts of a URL.

use std::collections::HashMap;

use axum::http::Uri;
use percent_encoding::percent_decode_str;

use crate::kinds::Kind;
use crate::store::Key;

/// What a URL refers to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/healthz`, `/livez`, `/readyz`
    Health,
    Version,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`
    Resources(String, String),
    OpenApiV2,
    /// `/openapi/v3` and the paths below it.
    OpenApiV3(String),
    Resource(Resource),
    Unknown,
}

/// A resource as the URL names it. It may not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Resource {
    /// The kind of the resource, if this cluster knows it.
    pub(crate) fn kind(&self) -> Option<&'static Kind> {
        Kind::find(&self.group, &self.plural).filter(|kind| kind.version == self.version)
    }

    /// The key of the object that the URL names.
    pub(crate) fn key(&self, kind: &'static Kind) -> Option<Key> {
        let name = self.name.as_deref()?;
        Some(Key::new(kind, self.namespace.as_deref().unwrap_or_default(), name))
    }

    /// The name of the resource in Roles: `deployments` or `deployments/scale`.
    pub(crate) fn with_subresource(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.plural),
            None => self.plural.clone(),
        }
    }
}

/// What the path of a URL refers to.
pub(crate) fn target(path: &str) -> Target {
    let decoded: Option<Vec<String>> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| percent_decode_str(part).decode_utf8().ok().map(Into::into))
        .collect();
    let Some(parts) = decoded else { return Target::Unknown };
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => Target::Health,
        ["version"] => Target::Version,
        ["openapi", "v2"] => Target::OpenApiV2,
        ["openapi", "v3", rest @ ..] => Target::OpenApiV3(rest.join("/")),
        ["api"] => Target::CoreVersions,
        ["apis"] => Target::Groups,
        ["apis", group] => Target::Group((*group).into()),
        ["api", version] => Target::Resources(String::new(), (*version).into()),
        ["apis", group, version] => Target::Resources((*group).into(), (*version).into()),
        ["api", version, rest @ ..] => resource("", version, rest),
        ["apis", group, version, rest @ ..] => resource(group, version, rest),
        _ => Target::Unknown,
    }
}

fn resource(group: &str, version: &str, parts: &[&str]) -> Target {
    // In a URL, a namespace is either the object itself or the container of other objects.
    let (namespace, parts) = match parts {
        ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, parts),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
        _ => (None, parts),
    };
    let (plural, name, subresource) = match parts {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some((*name).to_owned()), None),
        [plural, name, rest @ ..] => (plural, Some((*name).to_owned()), Some(rest.join("/"))),
        [] => return Target::Unknown,
    };
    Target::Resource(Resource {
        group: group.into(),
        version: version.into(),
        plural: (*plural).into(),
        namespace,
        name,
        subresource,
    })
}

/// The query parameters of a URL. If a parameter occurs more than once, the first one counts.
#[derive(Debug, Default)]
pub(crate) struct Query(HashMap<String, String>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        let mut all = HashMap::new();
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            all.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(all)
    }

    /// The value of a parameter. An empty value counts as missing.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a parameter is set to true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> (Option<String>, String, Option<String>, Option<String>) {
        match target(path) {
            Target::Resource(found) => (found.namespace, found.plural, found.name, found.subresource),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn a_namespace_is_an_object_or_contains_others() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(path("/api/v1/namespaces"), (None, "namespaces".into(), None, None));
        assert_eq!(path("/api/v1/namespaces/a"), (None, "namespaces".into(), some("a"), None));
        assert_eq!(
            path("/api/v1/namespaces/a/status"),
            (None, "namespaces".into(), some("a"), some("status"))
        );
        assert_eq!(path("/api/v1/namespaces/a/pods"), (some("a"), "pods".into(), None, None));
        let scale = path("/apis/apps/v1/namespaces/a/deployments/b/scale");
        assert_eq!(scale, (some("a"), "deployments".into(), some("b"), some("scale")));
        assert_eq!(path("/api/v1/pods"), (None, "pods".into(), None, None));
    }

    #[test]
    fn other_paths_are_unknown() {
        for odd in ["/", "/metrics", "/api/v1/%ff", "/apis/apps/v1/namespaces"] {
            let unknown = !matches!(target(odd), Target::Resource(found) if found.kind().is_some());
            assert!(unknown, "{odd}");
        }
    }
}
