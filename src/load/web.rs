//! A Locust master's web server: requests, and answers that may be anything.

use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::exit::{Error, Result};
use crate::wait::with_causes;

pub(super) const STOP: &str = "/stop";
/// Any answer but that to a stop comes at once, or after the 5 s that a cut may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Locust itself gives up on users that do not end after its stop timeout (120 s in the manifests)
/// and a minute.
const STOP_TIMEOUT: Duration = Duration::from_secs(185);

/// The web server at an address.
#[derive(Clone, Debug)]
pub(super) struct Web {
    pub(super) url: String,
    client: Client,
}

/// Locust's answer to what it was told to do.
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
        // A stop is answered when the last user has ended, which takes as long as its request.
        let timeout = if path == STOP { STOP_TIMEOUT } else { TIMEOUT };
        let request = self.client.request(method.clone(), format!("{}{path}", self.url)).timeout(timeout);
        let request = if method == Method::POST { request.form(form) } else { request };
        request.send().await.map_err(|error| {
            Error::cluster(format!(
                "Locust at {} does not answer {method} {path}: {}",
                self.url,
                with_causes(&error)
            ))
            .next("look at the pod with: kubectl logs deployment/locust-master")
        })
    }

    /// Locust takes `/stop` and `/stats/reset` by POST since 2.47.0 and by GET before 2.46.7: the
    /// other one is a 405.
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
        let body = self.bytes(path, response, "application/json", "JSON").await?;
        serde_json::from_slice(&body)
            .map_err(|error| self.wrong(path, &format!("JSON that is not understood: {error}")))
    }

    /// The body, which must be of that kind.
    pub(super) async fn bytes(
        &self,
        path: &str,
        response: Response,
        kind: &str,
        name: &str,
    ) -> Result<Vec<u8>> {
        let status = response.status();
        let found = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let found = found.unwrap_or("no content type").to_owned();
        if !status.is_success() || !found.starts_with(kind) {
            return Err(self.wrong(path, &format!("{status} with {found} instead of {name}")));
        }
        let body = response.bytes().await;
        body.map(Into::into)
            .map_err(|error| self.wrong(path, &format!("half an answer: {}", with_causes(&error))))
    }

    fn wrong(&self, path: &str, what: &str) -> Error {
        Error::cluster(format!("{}{path} answered {what}", self.url))
            .next("check that this is Locust's web port, without a login page or proxy before it")
    }
}
