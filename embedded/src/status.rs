//! What goes wrong, in the words of Kubernetes.

use std::fmt;

use serde_json::{Value, json};

use crate::store::Kind;

/// A refusal: it becomes the answer's status code and the `Status` object of its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// The machine's word for it, for example `NotFound`.
    pub reason: &'static str,
    /// The sentence for people.
    pub message: String,
    /// Name, group and kind of the object, and causes, where there are any.
    pub details: Option<Value>,
}

impl Status {
    /// A refusal with no details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 404: there is no such object.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Self::about(404, "NotFound", kind, name, "not found")
    }

    /// 409: the name is taken.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::about(409, "AlreadyExists", kind, name, "already exists")
    }

    /// 409: the object is not what the caller thinks it is.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let mut status = Self::about(409, "Conflict", kind, name, "");
        status.message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        status
    }

    /// 409: somebody else has changed the object since it was read.
    pub fn modified(kind: &Kind, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// 410: the history does not reach back that far; list again.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 422: one or more fields are wrong. Each cause is a field and what is wrong with it.
    pub fn invalid(kind: &Kind, name: &str, causes: &[(String, String)]) -> Self {
        let listed: Vec<String> = causes.iter().map(|(field, why)| format!("{field}: {why}")).collect();
        let text = match listed.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes: Vec<Value> = causes
            .iter()
            .map(|(field, why)| json!({ "reason": "FieldValueInvalid", "message": why, "field": field }))
            .collect();
        Self {
            code: 422,
            reason: "Invalid",
            message: format!("{} \"{name}\" is invalid: {text}", kind.qualified_kind()),
            details: Some(json!({ "name": name, "group": kind.group, "kind": kind.kind, "causes": causes })),
        }
    }

    fn about(code: u16, reason: &'static str, kind: &Kind, name: &str, what: &str) -> Self {
        Self {
            code,
            reason,
            message: format!("{} \"{name}\" {what}", kind.qualified()),
            details: Some(json!({ "name": name, "group": kind.group, "kind": kind.plural })),
        }
    }

    /// The `Status` object.
    pub fn object(&self) -> Value {
        let mut object = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if let Some(details) = &self.details {
            object["details"] = details.clone();
        }
        object
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.message, self.code, self.reason)
    }
}

impl std::error::Error for Status {}
