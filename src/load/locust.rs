//! Locust's web API, with the routes that our module beside the locustfile adds.

use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Load, LoadGenerator, Snapshot};
use crate::exit::{Error, Result};
use crate::wait::seen;

const STOP: &str = "/stop";
/// Users started per second in the open model; Locust warns above 100 per worker.
const OPEN_SPAWN_RATE: f64 = 100.0;
/// Any answer but that to a stop comes at once, or after the 5 s that a cut may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Locust itself gives up on users that do not end after its stop timeout (120 s in the manifests)
/// and a minute.
const STOP_TIMEOUT: Duration = Duration::from_secs(185);

/// A Locust master, by its web address.
#[derive(Clone, Debug)]
pub struct Locust {
    url: String,
    client: Client,
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default)]
    message: String,
}

impl Locust {
    /// A master at `url`, such as `http://locust-master:8089`.
    ///
    /// # Errors
    /// Exit code 1: no HTTP client can be made.
    pub fn new(url: &str) -> Result<Self> {
        let client = crate::http::client(TIMEOUT)?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), client })
    }

    async fn call(&self, method: Method, path: &str, form: &[(&str, String)]) -> Result<Response> {
        // A stop is answered when the last user has ended, which takes as long as its request.
        let timeout = if path == STOP { STOP_TIMEOUT } else { TIMEOUT };
        let request = self.client.request(method.clone(), format!("{}{path}", self.url)).timeout(timeout);
        let request = if method == Method::POST { request.form(form) } else { request };
        request.send().await.map_err(|error| {
            Error::cluster(format!(
                "Locust at {} does not answer {method} {path}: {}",
                self.url,
                seen(&error)
            ))
            .next("look at the pod with: kubectl logs deployment/locust-master")
        })
    }

    /// Locust takes `/stop` by POST since 2.47.0 and by GET before 2.46.7: the other one is a 405.
    async fn post_or_get(&self, path: &str) -> Result<Response> {
        let response = self.call(Method::POST, path, &[]).await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return self.call(Method::GET, path, &[]).await;
        }
        Ok(response)
    }

    async fn json<T: DeserializeOwned>(&self, path: &str, response: Response) -> Result<T> {
        let status = response.status();
        let kind = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("no content type")
            .to_owned();
        let wrong = |what: String| {
            Error::cluster(format!("{}{path} answered {what}", self.url))
                .next("check that this is Locust's web port, without a login page or proxy before it")
        };
        if status == StatusCode::NOT_FOUND {
            return Err(wrong("404: the master runs without the module locust_matrix.py".into())
                .next("apply the ConfigMap locust-scripts of the manifests and keep 'import locust_matrix' in the locustfile"));
        }
        if !status.is_success() || !kind.starts_with("application/json") {
            return Err(wrong(format!("{status} with {kind} instead of JSON")));
        }
        let body =
            response.bytes().await.map_err(|error| wrong(format!("half an answer: {}", seen(&error))))?;
        serde_json::from_slice(&body).map_err(|error| wrong(format!("JSON that is not understood: {error}")))
    }

    async fn look(&self, flush: bool, deadman: Duration) -> Result<Snapshot> {
        const PATH: &str = "/matrix/snapshot";
        let form = [("flush", u8::from(flush).to_string()), ("deadman", deadman.as_secs_f64().to_string())];
        let response = self.call(Method::POST, PATH, &form).await?;
        let snapshot: Snapshot = self.json(PATH, response).await?;
        if snapshot.version == Snapshot::VERSION {
            return Ok(snapshot);
        }
        Err(Error::cluster(format!(
            "the module locust_matrix.py at {} answers in version {}; this program understands {}",
            self.url,
            snapshot.version,
            Snapshot::VERSION
        ))
        .next("apply the manifests of this program's version"))
    }
}

impl LoadGenerator for Locust {
    async fn snapshot(&self, deadman: Duration) -> Result<Snapshot> {
        self.look(false, deadman).await
    }

    async fn cut(&self, deadman: Duration) -> Result<Snapshot> {
        let snapshot = self.look(true, deadman).await?;
        match snapshot.cut {
            Some(cut) if cut.complete => Ok(snapshot),
            _ => Err(Error::cluster(format!(
                "not every Locust worker handed over its counts in time; {}",
                snapshot.describe()
            ))
            .next("the workers may be short of CPU: look at kubectl top pods -l role=worker")),
        }
    }

    async fn start(&self, load: Load, host: &str) -> Result<()> {
        let users = load.users();
        let (path, spawn_rate) = match load {
            Load::Closed { spawn_rate, .. } => ("/swarm", spawn_rate),
            // The users only stand ready; the rate decides when they begin.
            Load::Open { .. } => ("/matrix/swarm", OPEN_SPAWN_RATE.min(f64::from(users))),
        };
        let mut form = vec![
            ("user_count", users.to_string()),
            ("spawn_rate", spawn_rate.to_string()),
            ("host", host.to_owned()),
        ];
        if let Load::Open { rate, .. } = load {
            form.push(("rate", rate.to_string()));
        }
        let response = self.call(Method::POST, path, &form).await?;
        let answer: Answer = self.json(path, response).await?;
        if !answer.success {
            return Err(Error::cluster(format!("Locust refused to start {users} users: {}", answer.message))
                .next("check users, rates and spawn_rate of the configuration"));
        }
        Ok(())
    }

    async fn stop(&self) -> Result<()> {
        let response = self.post_or_get(STOP).await?;
        let answer: Answer = self.json(STOP, response).await?;
        if answer.success {
            Ok(())
        } else {
            Err(Error::cluster(format!("Locust refused to stop: {}", answer.message)))
        }
    }
}
