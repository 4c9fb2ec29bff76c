//! Answers, and the form in which the client wants them.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// The form of objects in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The object or list itself.
    Object,
    /// Rows and columns, as `kubectl get` prints them.
    Table,
    /// Only the metadata.
    Metadata,
}

impl Form {
    /// The first form in the `Accept` header that this server supports. Refused with 406 if there is none.
    pub(crate) fn requested(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(accept) = headers.get(ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Object);
        };
        accept.split(',').find_map(Self::of).ok_or_else(|| {
            let accepted = "application/json";
            let message = format!("only the following media types are accepted: {accepted}");
            Refusal::new(406, "NotAcceptable", message)
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
pub(crate) fn json_answer(code: u16, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Adds warnings, which `kubectl` prints.
pub(crate) fn with_warnings(mut response: Response, warnings: &[String]) -> Response {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append("warning", value);
        }
    }
    response
}

/// The `Status` object of a successful deletion.
pub(crate) fn success(details: &Value) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
}

/// The answer to a refused request.
pub(crate) fn refused(refusal: &Refusal) -> Response {
    json_answer(refusal.code, &refusal.to_status())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(accept: &str) -> Result<Form, u16> {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]);
        Form::requested(&headers).map_err(|refusal| refusal.code)
    }

    #[test]
    fn the_first_supported_form_is_used() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(requested(kubectl), Ok(Form::Table));
        assert_eq!(requested("application/vnd.kubernetes.protobuf, application/json"), Ok(Form::Object));
        assert_eq!(requested("*/*"), Ok(Form::Object));
        let discovery =
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
        assert_eq!(requested(discovery), Ok(Form::Object));
        assert_eq!(requested("text/html"), Err(406));
    }
}
