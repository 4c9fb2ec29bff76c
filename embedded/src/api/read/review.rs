//! Self reviews: clients ask for their own rights (`kubectl auth can-i`) and identity (`kubectl auth
//! whoami`).

use serde_json::{Value, json};

use crate::api::wire::api::Api;
use crate::api::wire::identity::Identity;
use crate::api::wire::rbac;
use crate::refusal::Refusal;

/// The kinds of reviews: group, plural and kind. They are answered, but not stored.
pub(crate) const REVIEWS: [(&str, &str, &str); 3] = [
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
];

/// Answers a review.
pub(crate) fn answer(
    api: &Api,
    identity: &Identity,
    plural: &str,
    mut review: Value,
) -> Result<Value, Refusal> {
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

fn access(api: &Api, identity: &Identity, spec: &Value) -> Result<Value, Refusal> {
    let attributes = &spec["resourceAttributes"];
    if spec["nonResourceAttributes"].is_object() {
        let path = spec["nonResourceAttributes"]["path"].as_str().unwrap_or_default();
        let public = ["/healthz", "/livez", "/readyz", "/version", "/api", "/apis", "/openapi"];
        let allowed = *identity == Identity::Admin || public.iter().any(|public| path.starts_with(public));
        return Ok(json!({ "allowed": allowed }));
    }
    if !attributes.is_object() {
        let message = "SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
        return Err(Refusal::new(422, "Invalid", message));
    }
    let text = |field: &str| attributes[field].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let request = rbac::Request {
        verb: text("verb"),
        group: text("group"),
        resource: &resource,
        name: text("name"),
        namespace: text("namespace"),
    };
    Ok(json!({ "allowed": rbac::allows(&api.store, identity, &request) }))
}

fn rules(api: &Api, identity: &Identity, spec: &Value) -> Result<Value, Refusal> {
    let namespace = spec["namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() {
        return Err(Refusal::bad_request("no namespace on request"));
    }
    let mut resources = vec![
        json!({ "verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"] }),
        json!({ "verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"] }),
    ];
    let public = [
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
    let mut paths = vec![json!({ "verbs": ["get"], "nonResourceURLs": public })];
    if *identity == Identity::Admin {
        resources.push(json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }));
        paths.push(json!({ "verbs": ["*"], "nonResourceURLs": ["*"] }));
    }
    resources.extend(rbac::rules(&api.store, identity, namespace));
    Ok(json!({ "resourceRules": resources, "nonResourceRules": paths, "incomplete": false }))
}
