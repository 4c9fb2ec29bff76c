//! Authorization by Roles and RoleBindings.

use std::sync::Arc;

use serde_json::{Value, json};

use super::identity::Identity;
use super::path::Resource;
use crate::kinds;
use crate::refusal::Refusal;
use crate::store::{Key, Store};

/// An action on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// An action, as rules describe it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    /// With its subresource: `deployments/scale`.
    pub(crate) resource: &'a str,
    /// Name of the object. Empty for a list or a creation.
    pub(crate) name: &'a str,
    /// Empty for all namespaces, and for resources without namespaces.
    pub(crate) namespace: &'a str,
}

/// Refuses the action if the identity has no right to it.
pub(crate) fn check(
    store: &Store,
    identity: &Identity,
    verb: Verb,
    resource: &Resource,
) -> Result<(), Refusal> {
    let with_subresource = resource.with_subresource();
    // Rules cannot name an object that does not exist yet.
    let name =
        if verb == Verb::Create && resource.subresource.is_none() { None } else { resource.name.as_deref() };
    let request = Request {
        verb: verb.name(),
        group: &resource.group,
        resource: &with_subresource,
        name: name.unwrap_or_default(),
        namespace: resource.namespace.as_deref().unwrap_or_default(),
    };
    if allows(store, identity, &request) {
        return Ok(());
    }
    let scope = match &resource.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".into(),
    };
    let dot = if resource.group.is_empty() { "" } else { "." };
    let quoted = resource.name.as_ref().filter(|_| verb != Verb::Create || resource.subresource.is_some());
    let quoted = quoted.map_or(String::new(), |name| format!(" \"{name}\""));
    let (_, missing) = bound(store, identity, request.namespace);
    let missing = missing
        .first()
        .map_or(String::new(), |role| format!(": RBAC: role.{} \"{role}\" not found", kinds::ROLES.group));
    let message = format!(
        "{}{dot}{}{quoted} is forbidden: User \"{}\" cannot {} resource \"{with_subresource}\" in API group \"{}\" {scope}{missing}",
        resource.plural,
        resource.group,
        identity.user(),
        verb.name(),
        resource.group,
    );
    let mut details = json!({ "group": resource.group, "kind": resource.plural });
    if let Some(name) = &resource.name {
        details["name"] = json!(name);
    }
    Err(Refusal { details: Some(details), ..Refusal::new(403, "Forbidden", message) })
}

/// Whether the identity has the right to this action.
pub(crate) fn allows(store: &Store, identity: &Identity, request: &Request<'_>) -> bool {
    *identity == Identity::Admin
        || is_allowed_for_all(request)
        || rules(store, identity, request.namespace).iter().any(|rule| rule_allows(rule, request))
}

/// Every client may ask for its own rights.
fn is_allowed_for_all(request: &Request<'_>) -> bool {
    let is_self_review = matches!(
        (request.group, request.resource),
        ("authorization.k8s.io", "selfsubjectaccessreviews" | "selfsubjectrulesreviews")
            | ("authentication.k8s.io", "selfsubjectreviews")
    );
    is_self_review && request.verb == "create"
}

/// The rules that give an identity rights in a namespace. No rule gives rights in all namespaces at once.
pub(crate) fn rules(store: &Store, identity: &Identity, namespace: &str) -> Vec<Value> {
    let (roles, _) = bound(store, identity, namespace);
    roles.iter().flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default()).collect()
}

/// The Roles that are bound to an identity in a namespace, and the names of bound Roles that do not exist.
fn bound(store: &Store, identity: &Identity, namespace: &str) -> (Vec<Arc<Value>>, Vec<String>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    if namespace.is_empty() {
        return (found, missing);
    }
    let (user, groups) = (identity.user(), identity.groups());
    let is_subject = |subject: &Value| match subject["kind"].as_str() {
        Some("ServiceAccount") => {
            let account = |field: &str| subject[field].as_str().unwrap_or_default().to_owned();
            let (space, name) = (account("namespace"), account("name"));
            *identity == Identity::ServiceAccount { namespace: space, name }
        }
        Some("User") => subject["name"] == user,
        Some("Group") => groups.iter().any(|group| subject["name"] == *group),
        _ => false,
    };
    let (bindings, _) = store.list(&kinds::ROLE_BINDINGS, Some(namespace));
    for binding in &bindings {
        let is_bound = binding["subjects"].as_array().into_iter().flatten().any(is_subject);
        let role = binding["roleRef"]["name"].as_str().filter(|_| binding["roleRef"]["kind"] == "Role");
        if let (true, Some(role)) = (is_bound, role) {
            match store.get(&Key::new(&kinds::ROLES, namespace, role)) {
                Some(role) => found.push(role),
                None => missing.push(role.to_owned()),
            }
        }
    }
    (found, missing)
}

fn rule_allows(rule: &Value, request: &Request<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        let listed = rule[field].as_array().into_iter().flatten();
        listed.filter_map(Value::as_str).any(|listed| listed == wanted || listed == "*")
    };
    let subresource = request.resource.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
    let resource = has("resources", request.resource)
        || subresource.is_some_and(|any| {
            rule["resources"].as_array().into_iter().flatten().any(|listed| *listed == *any)
        });
    let names = rule["resourceNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = names.is_empty() || names.iter().any(|name| name == request.name);
    has("verbs", request.verb) && has("apiGroups", request.group) && resource && named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rule: &Value, verb: &str, resource: &str, name: &str) -> bool {
        rule_allows(rule, &Request { verb, group: "apps", resource, name, namespace: "default" })
    }

    #[test]
    fn a_rule_must_match_verb_resource_and_name() {
        let rule = json!({ "apiGroups": ["apps"], "resources": ["deployments/scale"], "resourceNames": ["a"], "verbs": ["get", "patch"] });
        assert!(allowed(&rule, "patch", "deployments/scale", "a"));
        assert!(!allowed(&rule, "update", "deployments/scale", "a"));
        assert!(!allowed(&rule, "patch", "deployments/scale", "b"));
        assert!(!allowed(&rule, "patch", "deployments", "a"));
        assert!(!allowed(&rule, "get", "deployments/scale", ""));
        let all = json!({ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] });
        assert!(allowed(&all, "patch", "deployments/scale", "b"));
    }
}
