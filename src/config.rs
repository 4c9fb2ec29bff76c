//! What to sweep and how: the settings file, the flags of the same names, and their checks.

mod duration;
mod file;
mod preset;

use serde::{Deserialize, Serialize};

pub use duration::Span;
pub use file::{MatrixFlags, Settings};
pub use preset::Preset;

use crate::exit::{Error, Result};

/// Every setting of a run, complete and checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Inference replicas, in the order they are swept.
    pub replicas: Vec<u32>,
    /// Locust workers, in the order they are swept.
    pub workers: Vec<u32>,
    /// Simulated users, in the order they are swept.
    pub users: Vec<u32>,
    /// The measured window.
    pub duration: Span,
    /// Load runs this long, after every user has started, before the window opens.
    pub warmup: Span,
    /// From the stop of one scenario to the start of the next; settling happens inside it.
    pub cooldown: Span,
    /// Users started per second; unset, a tenth of the users.
    pub spawn_rate: Option<f64>,
    /// More users than this are refused: a load that large is to be asked for on purpose.
    pub max_users: u32,
    /// How long each phase may take before the scenario is given up.
    pub timeouts: Timeouts,
    /// The service under test.
    pub inference: Inference,
}

/// How long each phase may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Until Locust's master answers for the first time.
    pub master: Span,
    /// Until every replica of the service is ready.
    pub ready: Span,
    /// Until Locust's master lists exactly the workers asked for.
    pub workers: Span,
    /// Until every user runs, beyond users / spawn rate.
    pub ramp: Span,
    /// Until every worker is idle after a stop.
    pub stop: Span,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            master: Span::from_secs(90),
            ready: Span::from_secs(180),
            workers: Span::from_secs(90),
            ramp: Span::from_secs(60),
            stop: Span::from_secs(150),
        }
    }
}

/// The service under test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inference {
    /// The Deployment that is scaled.
    pub deployment: String,
    /// Where the workers send their requests.
    pub url: String,
    /// A path that every replica answers; asked through `url` until all of them do.
    pub readiness_path: String,
    /// The endpoint that verdicts and findings use, as `METHOD name` of Locust's statistics.
    pub primary: String,
    /// Where each pod serves Prometheus metrics, as `port/path`; empty for a service without.
    pub metrics: String,
}

impl Default for Inference {
    fn default() -> Self {
        Self {
            deployment: "inference".into(),
            url: "http://inference:8000".into(),
            readiness_path: "/healthz".into(),
            primary: "POST /predict".into(),
            metrics: "8000/metrics".into(),
        }
    }
}

impl Config {
    /// Users started per second for a scenario of `users`: the setting, else a tenth of the users,
    /// at least one.
    pub fn spawn_rate_for(&self, users: u32) -> f64 {
        self.spawn_rate.unwrap_or_else(|| (f64::from(users) / 10.0).max(1.0))
    }

    /// Checks every value.
    ///
    /// # Errors
    /// Exit code 2, naming the first key that cannot be used and what it takes.
    pub fn checked(self) -> Result<Self> {
        axis("replicas", &self.replicas, 1000)?;
        axis("workers", &self.workers, 1000)?;
        axis("users", &self.users, 1_000_000)?;
        if let Some(users) = self.users.iter().find(|users| **users > self.max_users) {
            return Err(Error::usage(format!("users: {users} is more than max_users, {}", self.max_users))
                .next("raise it on purpose with --max-users, once the service's owners know"));
        }
        for (key, span) in [
            ("duration", self.duration),
            ("timeouts.master", self.timeouts.master),
            ("timeouts.ready", self.timeouts.ready),
            ("timeouts.workers", self.timeouts.workers),
            ("timeouts.ramp", self.timeouts.ramp),
            ("timeouts.stop", self.timeouts.stop),
        ] {
            if span.is_zero() {
                return Err(
                    Error::usage(format!("{key}: 0s is too short")).next("give a time such as 20s or 2m")
                );
            }
        }
        if let Some(rate) = self.spawn_rate
            && !(rate.is_finite() && rate >= 0.1)
        {
            return Err(Error::usage(format!("spawn_rate: {rate} users/s cannot be used"))
                .next("give 0.1 users/s or more, or leave it out for users / 10"));
        }
        if self.inference.deployment.is_empty() {
            return Err(Error::usage("inference.deployment: is empty").next("give the Deployment's name"));
        }
        if !self.inference.url.starts_with("http://") && !self.inference.url.starts_with("https://") {
            return Err(Error::usage(format!("inference.url: '{}' is not a URL", self.inference.url))
                .next("give one that begins with http:// or https://"));
        }
        if !self.inference.readiness_path.starts_with('/') {
            return Err(Error::usage(format!(
                "inference.readiness_path: '{}' is no path",
                self.inference.readiness_path
            ))
            .next("give one that begins with /, such as /healthz"));
        }
        if self.inference.primary.split_once(' ').is_none() {
            return Err(Error::usage(format!(
                "inference.primary: '{}' names no endpoint",
                self.inference.primary
            ))
            .next("give method and name as Locust shows them, such as 'POST /predict'"));
        }
        Ok(self)
    }
}

fn axis(key: &str, values: &[u32], most: u32) -> Result<()> {
    let problem = if values.is_empty() {
        "has no value".to_owned()
    } else if values.contains(&0) {
        "0 cannot be measured".to_owned()
    } else if let Some(value) = values.iter().find(|value| **value > most) {
        format!("{value} is more than {most}")
    } else if let Some((_, value)) =
        values.iter().enumerate().find(|(at, value)| values[..*at].contains(value))
    {
        format!("{value} is given twice")
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("{key}: {problem}"))
        .next(format!("give one or more different numbers from 1 to {most}, such as 1,2")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Config {
        Settings::default().complete().unwrap()
    }

    #[test]
    fn a_spawn_rate_is_a_tenth_of_the_users() {
        assert!((base().spawn_rate_for(400) - 40.0).abs() < f64::EPSILON);
        assert!((base().spawn_rate_for(3) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_cannot_be_measured_is_refused_by_its_key() {
        type Spoil = fn(&mut Config);
        let cases: [(&str, Spoil); 7] = [
            ("users: 0 cannot", |c| c.users = vec![0]),
            ("users: 1001 is more than max_users, 1000", |c| c.users = vec![1001]),
            ("workers: has no value", |c| c.workers = vec![]),
            ("replicas: 2 is given twice", |c| c.replicas = vec![2, 1, 2]),
            ("duration: 0s", |c| c.duration = Span::from_secs(0)),
            ("spawn_rate: -1", |c| c.spawn_rate = Some(-1.0)),
            ("inference.url: 'nowhere'", |c| c.inference.url = "nowhere".into()),
        ];
        for (expected, spoil) in cases {
            let mut config = base();
            spoil(&mut config);
            let error = config.checked().unwrap_err();
            assert!(error.message.starts_with(expected), "{error}");
            assert_eq!(error.code, crate::exit::ExitCode::Usage);
            assert!(error.next.is_some());
        }
    }
}
