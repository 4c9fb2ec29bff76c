//! Locust's web API, with the routes that the module beside the locustfile adds.

mod advice;
mod answer;
mod product;
mod stock;
mod web;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::sync::OnceCell;

use self::answer::{SnapshotAnswer, VERSION, VersionAnswer};
use self::product::{CALLER, NAME};
use self::stock::Stock;
use self::web::{Answer, STOP, Web};
use super::{Capabilities, Load, LoadGenerator, Snapshot, Unreached};
use crate::config::refuse_credentials;
use crate::exit::{Error, ExitCode, Result};
use crate::objects::{MASTER, WORKERS};
use crate::wait::TimedOut;

/// Users started per second in the open model; Locust warns above 100 per worker.
const OPEN_SPAWN_RATE: f64 = 100.0;
/// Without the module, load is stopped after this long at the latest.
const LONGEST: Duration = Duration::from_hours(2);
/// Master and workers. A worker that has lost its master would notice only after a minute.
const DEPLOYMENTS: &[&str] = &[MASTER, WORKERS];
/// The module's own route.
const SNAPSHOT: &str = "/matrix/snapshot";

/// A Locust master, by its web address.
///
/// At the first request it turns out whether the master has the module: without it, the module's route answers
/// with status 404. Such a master is driven by Locust's stock API; see [`Capabilities::caveat`].
#[derive(Clone, Debug)]
pub struct Locust {
    web: Web,
    longest: Duration,
    is_ours: bool,
    /// Drives a master without the module; `None` if the master has it. Found out at the first use.
    stock: Arc<OnceCell<Option<Stock>>>,
}

impl Locust {
    /// A master at `url`, such as `http://locust-master:8089`.
    ///
    /// # Errors
    /// Exit code 2: the address has a user or a password in it; 1: the HTTP client cannot be built.
    pub fn new(url: &str) -> Result<Self> {
        refuse_credentials("--locust-url", url)?;
        Ok(Self { web: Web::new(url)?, longest: LONGEST, is_ours: false, stock: Arc::default() })
    }

    /// Sets how long a load may run at most. This limit is used only without the module and from Locust 2.47
    /// on, because only Locust's `run_time` can then stop a load whose driver is gone. It must be longer than
    /// the load of any scenario.
    #[must_use]
    pub fn with_longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Says that this is the Locust of the manifests, in the cluster's namespace. Its pods may then be replaced if
    /// its state cannot be used.
    #[must_use]
    pub const fn of_the_manifests(mut self) -> Self {
        self.is_ours = true;
        self
    }

    /// The stock API, if the master does not have the module.
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

    async fn read(&self, cut: bool, deadman: Duration) -> Result<Snapshot> {
        if let Some(stock) = self.stock().await? {
            return if cut { stock.cut(&self.web).await } else { stock.snapshot(&self.web).await };
        }
        let form = [("flush", u8::from(cut).to_string()), ("deadman", deadman.as_secs_f64().to_string())];
        self.ask_module(Method::POST, &form).await.map(Snapshot::from)
    }

    async fn ask_module(&self, method: Method, form: &[(&str, String)]) -> Result<SnapshotAnswer> {
        let response = self.web.call(method, SNAPSHOT, form).await?;
        let body = self.web.json_body(SNAPSHOT, response).await?;
        let VersionAnswer { version } = self.web.parse(SNAPSHOT, &body)?;
        if version == VERSION {
            return self.web.parse(SNAPSHOT, &body);
        }
        Err(Error::cluster(format!(
            "the module locust_matrix.py at {} answers in version {version}; this program understands {VERSION}",
            self.web.url
        ))
        .next("apply the manifests of this program's version"))
    }
}

impl LoadGenerator for Locust {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caller(&self) -> &'static str {
        CALLER
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        match self.stock().await? {
            Some(stock) => Ok(stock.capabilities()),
            None => Ok(self.ask_module(Method::GET, &[]).await?.capabilities()),
        }
    }

    async fn snapshot(&self, deadman: Duration) -> Result<Snapshot> {
        self.read(false, deadman).await
    }

    async fn cut(&self, deadman: Duration) -> Result<Snapshot> {
        self.read(true, deadman).await
    }

    async fn start(&self, load: Load, host: &str) -> Result<()> {
        let users = load.users();
        let (path, spawn_rate) = match load {
            Load::Closed { spawn_rate, .. } => ("/swarm", spawn_rate),
            // The users only wait for arrivals, so their own start takes no time from the load.
            Load::Open { .. } => ("/matrix/swarm", OPEN_SPAWN_RATE.min(f64::from(users))),
        };
        let mut form = vec![
            ("user_count", users.to_string()),
            ("spawn_rate", spawn_rate.to_string()),
            ("host", host.to_owned()),
        ];
        if let Load::Open { rate, seed, .. } = load {
            form.extend([("rate", rate.to_string()), ("seed", seed.to_string())]);
        }
        if let Some(stock) = self.stock().await? {
            stock.prepare_start(load, &mut form)?;
        }
        let response = self.web.call(Method::POST, path, &form).await?;
        let answer: Answer = self.web.json(path, response).await?;
        if !answer.success {
            let refused = format!("{NAME} refused to start {users} users: {}", answer.message);
            return Err(Error::new(ExitCode::Scenario, refused)
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
            Err(Error::cluster(format!("{NAME} refused to stop: {}", answer.message)))
        }
    }

    fn deployments(&self) -> &'static [&'static str] {
        if self.is_ours { DEPLOYMENTS } else { &[] }
    }

    fn explain(&self, unreached: &Unreached, timed_out: &TimedOut) -> Error {
        advice::explain(unreached, timed_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;

    #[test]
    fn an_address_with_a_password_is_refused_without_repeating_it() {
        let error = Locust::new("http://me:pl4nted@locust-master:8089").unwrap_err();
        assert_eq!(error.code, ExitCode::Usage);
        assert!(
            error.message.starts_with("--locust-url: ") && !error.to_string().contains("pl4nted"),
            "{error}"
        );
    }
}
