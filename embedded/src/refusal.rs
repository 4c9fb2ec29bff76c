//! Why a request is refused, in Kubernetes' words.

use std::fmt;

use serde_json::{Value, json};

use crate::kinds::Kind;

/// A refused request. It becomes the status code of the answer, and the `Status` object in its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// HTTP status code.
    pub code: u16,
    /// The reason for programs, for example `NotFound`.
    pub reason: &'static str,
    /// The message for people.
    pub message: String,
    /// Name, group and kind of the object, and causes, if there are any.
    pub details: Option<Value>,
}

impl Refusal {
    /// A refusal without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    /// 400: the request is malformed.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 404: there is no such object.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Self::about(404, "NotFound", kind, name, "not found")
    }

    /// 409: there is already an object with this name.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::about(409, "AlreadyExists", kind, name, "already exists")
    }

    /// 409: the object is not in the state that the client expects.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let mut refusal = Self::about(409, "Conflict", kind, name, "");
        refusal.message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        refusal
    }

    /// 409: another client has changed the object since this client read it.
    pub fn modified(kind: &Kind, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// 410: the history does not reach back to the requested version. The client has to list again.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 422: fields are invalid. Each cause is a field, and the reason why it is invalid.
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
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.message, self.code, self.reason)
    }
}

impl std::error::Error for Refusal {}
