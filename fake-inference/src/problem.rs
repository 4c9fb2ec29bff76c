//! The JSON body of every error answer.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error: `{"error": "…", "field": "data[3].features.prb_up"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(skip)]
    pub status: StatusCode,
    /// The error, and what is expected instead.
    pub error: String,
    /// The field of the request that is wrong; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Longest text of a message, in characters. Messages quote the request, which may be long.
const LONGEST_TEXT: usize = 300;

impl Problem {
    /// A problem with the request as a whole.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: clip(&error.into()), field: None }
    }

    /// The same problem, with the field that is wrong.
    #[must_use]
    pub fn at(self, field: &str) -> Self {
        Self { field: Some(clip(field)), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

/// Keeps both ends: a message begins with what was found and ends with what was expected.
fn clip(text: &str) -> String {
    let length = text.chars().count();
    if length <= LONGEST_TEXT {
        return text.to_owned();
    }
    let half = LONGEST_TEXT / 2;
    let start: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(length - half).collect();
    format!("{start} … {end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_lose_their_middle() {
        let long = format!("invalid type: string \"{}\"; expected a number", "ü".repeat(9999));
        let problem = Problem::new(StatusCode::BAD_REQUEST, long);
        assert!(problem.error.chars().count() <= LONGEST_TEXT + 3);
        assert!(problem.error.starts_with("invalid type"));
        assert!(problem.error.ends_with("expected a number"));
    }

    #[test]
    fn the_json_has_no_field_if_none_is_wrong() {
        let problem = Problem::new(StatusCode::NOT_FOUND, "no such page");
        assert_eq!(serde_json::to_string(&problem).unwrap(), r#"{"error":"no such page"}"#);
        let problem = problem.at("body");
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(text, r#"{"error":"no such page","field":"body"}"#);
    }
}
