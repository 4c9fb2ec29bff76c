//! Questions about oneself: `kubectl auth can-i`, `can-i --list`, `whoami`.

use serde_json::{Value, json};

use super::rbac::{self, Question};
use super::{Api, Identity};
use crate::status::Status;

/// The kinds that are answered and not kept: group, plural, kind.
pub(super) const REVIEWS: [(&str, &str, &str); 3] = [
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
];

pub(super) fn answer(
    api: &Api,
    identity: &Identity,
    plural: &str,
    mut review: Value,
) -> Result<Value, Status> {
    let status = match plural {
        "selfsubjectaccessreviews" => access(api, identity, &review["spec"])?,
        "selfsubjectrulesreviews" => rules(api, identity, &review["spec"])?,
        _ => json!({ "userInfo": { "username": identity.user(), "groups": identity.groups() } }),
    };
    review["status"] = status;
    let (group, _, kind) = REVIEWS.iter().find(|(_, known, _)| *known == plural).copied().unwrap_or_default();
    review["apiVersion"] = json!(format!("{group}/v1"));
    review["kind"] = json!(kind);
    review["metadata"]["creationTimestamp"] = Value::Null;
    Ok(review)
}

fn access(api: &Api, identity: &Identity, spec: &Value) -> Result<Value, Status> {
    let asked = &spec["resourceAttributes"];
    if spec["nonResourceAttributes"].is_object() {
        let path = spec["nonResourceAttributes"]["path"].as_str().unwrap_or_default();
        let open = ["/healthz", "/livez", "/readyz", "/version", "/api", "/apis", "/openapi"];
        let allowed = *identity == Identity::Admin || open.iter().any(|open| path.starts_with(open));
        return Ok(json!({ "allowed": allowed }));
    }
    if !asked.is_object() {
        let message = "SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
        return Err(Status::new(422, "Invalid", message));
    }
    let text = |field: &str| asked[field].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let question = Question {
        verb: text("verb"),
        group: text("group"),
        resource: &resource,
        name: text("name"),
        namespace: text("namespace"),
    };
    Ok(json!({ "allowed": rbac::allows(&api.store, identity, &question) }))
}

fn rules(api: &Api, identity: &Identity, spec: &Value) -> Result<Value, Status> {
    let namespace = spec["namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let mut resources = vec![
        json!({ "verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"] }),
        json!({ "verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"] }),
    ];
    let open = [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
    ];
    let mut paths = vec![json!({ "verbs": ["get"], "nonResourceURLs": open })];
    if *identity == Identity::Admin {
        resources.push(json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }));
        paths.push(json!({ "verbs": ["*"], "nonResourceURLs": ["*"] }));
    }
    resources.extend(rbac::rules(&api.store, identity, namespace));
    Ok(json!({ "resourceRules": resources, "nonResourceRules": paths, "incomplete": false }))
}
