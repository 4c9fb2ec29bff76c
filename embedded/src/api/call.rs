//! One request about a resource, taken apart.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;

use super::answer::Form;
use super::managers::Manager;
use super::path::{Query, Resource};
use super::{Api, Identity};
use crate::status::Status;
use crate::store::{Kind, Store};

pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) identity: Identity,
    pub(super) resource: Resource,
    pub(super) kind: &'static Kind,
    pub(super) query: Query,
    pub(super) form: Form,
    pub(super) headers: HeaderMap,
}

/// What to do with fields that the type does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl Call<'_> {
    pub(super) fn store(&self) -> &Store {
        &self.api.store
    }

    pub(super) fn subresource(&self) -> Option<&str> {
        self.resource.subresource.as_deref()
    }

    /// Asks for the outcome, and not to keep it.
    pub(super) fn dry_run(&self) -> Result<bool, Status> {
        match self.query.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => {
                let causes =
                    [("dryRun".into(), format!("Unsupported value: {other:?}: supported values: \"All\""))];
                Err(Status::invalid(self.kind, "", &causes))
            }
        }
    }

    pub(super) fn field_validation(&self) -> Result<FieldValidation, Status> {
        match self.query.get("fieldValidation") {
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => Err(Status::bad_request(format!(
                "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }

    /// The version that the client has seen; 0 when it does not say.
    pub(super) fn version_asked(&self) -> Result<u64, Status> {
        let text = self.query.get("resourceVersion").unwrap_or("0");
        text.parse().map_err(|_| {
            Status::bad_request(format!("Invalid value: {text:?}: resourceVersion is no number"))
        })
    }

    /// In whose name fields are changed: the client's word for itself, else the program's.
    pub(super) fn manager(&self, apply: bool) -> Result<Manager, Status> {
        let agent = self.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let program = agent.and_then(|agent| agent.split('/').next()).filter(|name| !name.is_empty());
        let name = match self.query.get("fieldManager") {
            Some(name) => name,
            None if apply => {
                let why = "fieldManager is required for apply patch";
                let causes = [("fieldManager".into(), format!("Required value: {why}"))];
                return Err(Status::invalid(
                    self.kind,
                    self.resource.name.as_deref().unwrap_or_default(),
                    &causes,
                ));
            }
            None => program.unwrap_or("unknown"),
        };
        if name.len() > 128 {
            return Err(Status::bad_request("fieldManager: Too long: may not be more than 128 bytes"));
        }
        Ok(Manager { name: name.into(), apply, subresource: self.subresource().map(Into::into) })
    }
}

pub(super) fn not_allowed() -> Status {
    Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
}
