//! Locust's web API, with the routes that our module beside the locustfile adds.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::sync::OnceCell;

use super::stock::Stock;
use super::web::{Answer, STOP, Web};
use super::{Load, LoadGenerator, Snapshot};
use crate::exit::{Error, Result};

/// Users started per second in the open model; Locust warns above 100 per worker.
const OPEN_SPAWN_RATE: f64 = 100.0;
/// Without the module, load is stopped after this long at the latest.
const LONGEST: Duration = Duration::from_hours(2);

/// A Locust master, by its web address.
///
/// A master whose script does not import our module (404 on its route, found out at its first use)
/// is driven by its stock API from then on; see [`Snapshot::caveat`](Snapshot).
#[derive(Clone, Debug)]
pub struct Locust {
    web: Web,
    longest: Duration,
    /// Without the module, what stands in for it; found out at the first use.
    stock: Arc<OnceCell<Option<Stock>>>,
}

/// The module's own route.
const SNAPSHOT: &str = "/matrix/snapshot";

impl Locust {
    /// A master at `url`, such as `http://locust-master:8089`.
    ///
    /// # Errors
    /// Exit code 1: no HTTP client can be made.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self { web: Web::new(url)?, longest: LONGEST, stock: Arc::default() })
    }

    /// How long a load may run at most where only Locust's own `run_time` can stop it when the driver
    /// is gone: without the module, from Locust 2.47 on. Must be more than any scenario takes.
    #[must_use]
    pub fn with_longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// What drives a master without the module; `None` where it has it.
    async fn stock(&self) -> Result<Option<&Stock>> {
        let probe = async || {
            let response = self.web.call(Method::GET, SNAPSHOT, &[]).await?;
            if response.status() != StatusCode::NOT_FOUND {
                return Ok(None);
            }
            let stock = Stock::probe(&self.web, self.longest).await;
            stock.map(Some).map_err(|error| {
                error.during("the master runs without the module locust_matrix.py, and is not Locust either")
            })
        };
        Ok(self.stock.get_or_try_init(probe).await?.as_ref())
    }

    async fn look(&self, flush: bool, deadman: Duration) -> Result<Snapshot> {
        if let Some(stock) = self.stock().await? {
            return stock.look(&self.web, flush).await;
        }
        let form = [("flush", u8::from(flush).to_string()), ("deadman", deadman.as_secs_f64().to_string())];
        let response = self.web.call(Method::POST, SNAPSHOT, &form).await?;
        let snapshot: Snapshot = self.web.json(SNAPSHOT, response).await?;
        if snapshot.version == Snapshot::VERSION {
            return Ok(snapshot);
        }
        Err(Error::cluster(format!(
            "the module locust_matrix.py at {} answers in version {}; this program understands {}",
            self.web.url,
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
        if let Some(stock) = self.stock().await? {
            stock.begin(load, &mut form)?;
        }
        let response = self.web.call(Method::POST, path, &form).await?;
        let answer: Answer = self.web.json(path, response).await?;
        if !answer.success {
            return Err(Error::cluster(format!("Locust refused to start {users} users: {}", answer.message))
                .next("check users, rates and spawn_rate of the configuration"));
        }
        Ok(())
    }

    async fn stop(&self) -> Result<()> {
        let response = self.web.post_or_get(STOP).await?;
        let answer: Answer = self.web.json(STOP, response).await?;
        if answer.success {
            Ok(())
        } else {
            Err(Error::cluster(format!("Locust refused to stop: {}", answer.message)))
        }
    }
}
