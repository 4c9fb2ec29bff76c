//! Who may do what: Roles and RoleBindings.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Identity;
use super::path::Resource;
use crate::status::Status;
use crate::store::{Key, Store, kinds};

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
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
    pub(super) fn name(self) -> &'static str {
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

/// A question to the rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) verb: &'a str,
    pub(super) group: &'a str,
    /// With its subresource: `deployments/scale`.
    pub(super) resource: &'a str,
    /// Empty for a list or a creation.
    pub(super) name: &'a str,
    /// Empty for the cluster, and for all namespaces.
    pub(super) namespace: &'a str,
}

/// Refuses what the identity may not do.
pub(super) fn check(
    store: &Store,
    identity: &Identity,
    verb: Verb,
    resource: &Resource,
) -> Result<(), Status> {
    let with_subresource = resource.with_subresource();
    // A new object has no name that a rule could know.
    let name =
        if verb == Verb::Create && resource.subresource.is_none() { None } else { resource.name.as_deref() };
    let question = Question {
        verb: verb.name(),
        group: &resource.group,
        resource: &with_subresource,
        name: name.unwrap_or_default(),
        namespace: resource.namespace.as_deref().unwrap_or_default(),
    };
    if allows(store, identity, &question) {
        return Ok(());
    }
    let place = match &resource.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".into(),
    };
    let dot = if resource.group.is_empty() { "" } else { "." };
    let quoted = resource.name.as_ref().filter(|_| verb != Verb::Create || resource.subresource.is_some());
    let quoted = quoted.map_or(String::new(), |name| format!(" \"{name}\""));
    let (_, missing) = bound(store, identity, question.namespace);
    let missing = missing
        .first()
        .map_or(String::new(), |role| format!(": RBAC: role.{} \"{role}\" not found", kinds::ROLES.group));
    let message = format!(
        "{}{dot}{}{quoted} is forbidden: User \"{}\" cannot {} resource \"{with_subresource}\" in API group \"{}\" {place}{missing}",
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
    Err(Status { details: Some(details), ..Status::new(403, "Forbidden", message) })
}

pub(super) fn allows(store: &Store, identity: &Identity, question: &Question<'_>) -> bool {
    *identity == Identity::Admin
        || is_for_everybody(question)
        || rules(store, identity, question.namespace).iter().any(|rule| rule_allows(rule, question))
}

/// Everybody may ask what they may do.
fn is_for_everybody(question: &Question<'_>) -> bool {
    let about_oneself = matches!(
        (question.group, question.resource),
        ("authorization.k8s.io", "selfsubjectaccessreviews" | "selfsubjectrulesreviews")
            | ("authentication.k8s.io", "selfsubjectreviews")
    );
    about_oneself && question.verb == "create"
}

/// The rules that hold for somebody in a namespace. There are none for all namespaces at once.
pub(super) fn rules(store: &Store, identity: &Identity, namespace: &str) -> Vec<Value> {
    let (roles, _) = bound(store, identity, namespace);
    roles.iter().flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default()).collect()
}

/// The roles that somebody has in a namespace, and the names of those that are not there.
fn bound(store: &Store, identity: &Identity, namespace: &str) -> (Vec<Arc<Value>>, Vec<String>) {
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    if namespace.is_empty() {
        return (there, missing);
    }
    let (user, groups) = (identity.user(), identity.groups());
    let is_meant = |subject: &Value| match subject["kind"].as_str() {
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
        let meant = binding["subjects"].as_array().into_iter().flatten().any(is_meant);
        let role = binding["roleRef"]["name"].as_str().filter(|_| binding["roleRef"]["kind"] == "Role");
        if let (true, Some(role)) = (meant, role) {
            match store.get(&Key::new(&kinds::ROLES, namespace, role)) {
                Some(found) => there.push(found),
                None => missing.push(role.to_owned()),
            }
        }
    }
    (there, missing)
}

fn rule_allows(rule: &Value, question: &Question<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        let listed = rule[field].as_array().into_iter().flatten();
        listed.filter_map(Value::as_str).any(|listed| listed == wanted || listed == "*")
    };
    let subresource = question.resource.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
    let resource = has("resources", question.resource)
        || subresource.is_some_and(|any| {
            rule["resources"].as_array().into_iter().flatten().any(|listed| *listed == *any)
        });
    let names = rule["resourceNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = names.is_empty() || names.iter().any(|name| name == question.name);
    has("verbs", question.verb) && has("apiGroups", question.group) && resource && named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rule: &Value, verb: &str, resource: &str, name: &str) -> bool {
        rule_allows(rule, &Question { verb, group: "apps", resource, name, namespace: "default" })
    }

    #[test]
    fn names_verbs_and_subresources_all_count() {
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
