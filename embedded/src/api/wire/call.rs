//! A request for a resource, in its parts.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;

use super::answer::Form;
use super::api::Api;
use super::identity::Identity;
use super::path::{Query, Resource};
use crate::kinds::Kind;
use crate::refusal::Refusal;
use crate::store::Store;

/// A request for a resource that exists and that the client may use.
pub(crate) struct Call<'a> {
    pub(crate) api: &'a Api,
    pub(crate) identity: Identity,
    pub(crate) resource: Resource,
    pub(crate) kind: &'static Kind,
    pub(crate) query: Query,
    pub(crate) form: Form,
    pub(crate) headers: HeaderMap,
}

/// What to do with fields that the object's type does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// The client in whose name fields are changed, and how it changes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldManager {
    pub(crate) name: String,
    /// Whether the change is a server-side apply.
    pub(crate) apply: bool,
    pub(crate) subresource: Option<String>,
}

impl Call<'_> {
    pub(crate) fn store(&self) -> &Store {
        &self.api.store
    }

    /// The name of the subresource in the URL.
    pub(crate) fn subresource(&self) -> Option<&str> {
        self.resource.subresource.as_deref()
    }

    /// Whether the client asks for the result without storing it.
    pub(crate) fn dry_run(&self) -> Result<bool, Refusal> {
        match self.query.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => {
                let causes =
                    [("dryRun".into(), format!("Unsupported value: {other:?}: supported values: \"All\""))];
                Err(Refusal::invalid(self.kind, "", &causes))
            }
        }
    }

    /// The `fieldValidation` in the URL. Default: `Warn`.
    pub(crate) fn field_validation(&self) -> Result<FieldValidation, Refusal> {
        match self.query.get("fieldValidation") {
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => Err(Refusal::bad_request(format!(
                "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }

    /// The `resourceVersion` in the URL. 0 if there is none.
    pub(crate) fn requested_version(&self) -> Result<u64, Refusal> {
        let text = self.query.get("resourceVersion").unwrap_or("0");
        text.parse().map_err(|_| {
            Refusal::bad_request(format!("Invalid value: {text:?}: resourceVersion is not a number"))
        })
    }

    /// The field manager: the one in the URL, or else the name of the client's program.
    pub(crate) fn manager(&self, apply: bool) -> Result<FieldManager, Refusal> {
        let agent = self.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let program = agent.and_then(|agent| agent.split('/').next()).filter(|name| !name.is_empty());
        let name = match self.query.get("fieldManager") {
            Some(name) => name,
            None if apply => {
                let why = "fieldManager is required for apply patch";
                let causes = [("fieldManager".into(), format!("Required value: {why}"))];
                return Err(Refusal::invalid(
                    self.kind,
                    self.resource.name.as_deref().unwrap_or_default(),
                    &causes,
                ));
            }
            None => program.unwrap_or("unknown"),
        };
        if name.len() > 128 {
            return Err(Refusal::bad_request("fieldManager: Too long: may not be more than 128 bytes"));
        }
        Ok(FieldManager { name: name.into(), apply, subresource: self.subresource().map(Into::into) })
    }
}

/// 405: the resource does not support the method.
pub(crate) fn not_allowed() -> Refusal {
    Refusal::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
}
