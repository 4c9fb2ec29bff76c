//! The web server of a Locust master: requests, and answers that may come from something else.

use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::product::NAME;
use crate::exit::{Error, Result};
use crate::objects::MASTER;
use crate::wait::with_causes;

pub(super) const STOP: &str = "/stop";
/// Every request but a stop is answered at once, or after a cut, which may take 5 s.
const TIMEOUT: Duration = Duration::from_secs(15);
/// A stop is answered after the last user has ended. Locust waits for its stop timeout (120 s in the
/// manifests) and another minute.
const STOP_TIMEOUT: Duration = Duration::from_secs(185);

/// The web server at an address.
#[derive(Clone, Debug)]
pub(super) struct Web {
    pub(super) url: String,
    client: Client,
}

/// Locust's answer to a start or a stop.
#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) success: bool,
    #[serde(default)]
    pub(super) message: String,
}

impl Web {
    pub(super) fn new(url: &str) -> Result<Self> {
        let client = crate::http::client(TIMEOUT)?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), client })
    }

    pub(super) async fn call(&self, method: Method, path: &str, form: &[(&str, String)]) -> Result<Response> {
        let timeout = if path == STOP { STOP_TIMEOUT } else { TIMEOUT };
        let request = self.client.request(method.clone(), format!("{}{path}", self.url)).timeout(timeout);
        let request = if method == Method::POST { request.form(form) } else { request };
        request.send().await.map_err(|error| {
            Error::cluster(format!(
                "{NAME} at {} does not answer {method} {path}: {}",
                self.url,
                with_causes(&error)
            ))
            .next(format!("read its log with: kubectl logs deployment/{MASTER}"))
        })
    }

    /// Locust accepts `/stop` and `/stats/reset` by POST since 2.47.0 and by GET before 2.46.7. It answers the
    /// other method with status 405.
    pub(super) async fn post_or_get(&self, path: &str) -> Result<Response> {
        let response = self.call(Method::POST, path, &[]).await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return self.call(Method::GET, path, &[]).await;
        }
        Ok(response)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let response = self.call(Method::GET, path, &[]).await?;
        self.json(path, response).await
    }

    pub(super) async fn json<T: DeserializeOwned>(&self, path: &str, response: Response) -> Result<T> {
        let body = self.json_body(path, response).await?;
        self.parse(path, &body)
    }

    /// The body of an answer that must be JSON.
    pub(super) async fn json_body(&self, path: &str, response: Response) -> Result<Vec<u8>> {
        self.body(path, response, "application/json", "JSON").await
    }

    /// The value in a body that [`json_body`](Self::json_body) returned for this path.
    pub(super) fn parse<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T> {
        serde_json::from_slice(body)
            .map_err(|error| self.wrong(path, &format!("JSON that is not understood: {error}")))
    }

    /// The body of an answer that must have this content type; `name` is its name in messages.
    pub(super) async fn body(
        &self,
        path: &str,
        response: Response,
        content_type: &str,
        name: &str,
    ) -> Result<Vec<u8>> {
        let status = response.status();
        let found = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let found = found.unwrap_or("no content type").to_owned();
        if !status.is_success() || !found.starts_with(content_type) {
            return Err(self.wrong(path, &format!("{status} with {found} instead of {name}")));
        }
        let body = response.bytes().await;
        body.map(Into::into)
            .map_err(|error| self.wrong(path, &format!("half an answer: {}", with_causes(&error))))
    }

    fn wrong(&self, path: &str, problem: &str) -> Error {
        Error::cluster(format!("{}{path} answered {problem}", self.url)).next(format!(
            "check that this is {NAME}'s web port, without a login page or a proxy in front of it"
        ))
    }
}
