//! Answers, and in which form the client wants them.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::status::Status;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The object or list itself.
    Object,
    /// Rows and columns, as `kubectl get` prints them.
    Table,
    /// Metadata only.
    Metadata,
}

impl Form {
    /// The first form that the client accepts and this server has. 406 when there is none.
    pub(super) fn wanted(headers: &HeaderMap) -> Result<Self, Status> {
        let Some(accept) = headers.get(ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Object);
        };
        accept.split(',').find_map(Self::of).ok_or_else(|| {
            let accepted = "application/json";
            let message = format!(
                "only the following media types are accepted: {accepted}; this cluster has no others"
            );
            Status::new(406, "NotAcceptable", message)
        })
    }

    fn of(media: &str) -> Option<Self> {
        let mut parts = media.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let parameter =
            |wanted: &str| media.split(';').map(str::trim).find_map(|part| part.strip_prefix(wanted));
        match (name, parameter("as=")) {
            ("application/json" | "application/*" | "*/*", None) => Some(Self::Object),
            ("application/json", Some(form)) if parameter("g=") == Some("meta.k8s.io") => match form {
                "Table" => Some(Self::Table),
                "PartialObjectMetadata" | "PartialObjectMetadataList" => Some(Self::Metadata),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A JSON answer.
pub(super) fn json_answer(code: u16, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Warnings that `kubectl` prints.
pub(super) fn with_warnings(mut response: Response, warnings: &[String]) -> Response {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append("warning", value);
        }
    }
    response
}

/// `Success`, as a deletion answers.
pub(super) fn success(details: &Value) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        json_answer(self.code, &self.object())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Result<Form, u16> {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]);
        Form::wanted(&headers).map_err(|status| status.code)
    }

    #[test]
    fn the_first_form_that_we_have_is_taken() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(wanted(kubectl), Ok(Form::Table));
        assert_eq!(wanted("application/vnd.kubernetes.protobuf, application/json"), Ok(Form::Object));
        assert_eq!(wanted("*/*"), Ok(Form::Object));
        let discovery =
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
        assert_eq!(wanted(discovery), Ok(Form::Object));
        assert_eq!(wanted("text/html"), Err(406));
    }
}
