//! The checks of a configuration: what cannot be measured is refused by its key.

use super::Config;
use crate::exit::{Error, Result};

impl Config {
    /// Checks every value.
    ///
    /// # Errors
    /// Exit code 2, naming the first key that cannot be used and what it takes.
    pub fn checked(self) -> Result<Self> {
        axis("replicas", &self.replicas, 1000)?;
        axis("workers", &self.workers, 1000)?;
        if self.users.is_empty() && self.rates.is_empty() {
            return Err(Error::usage("users: has no value, and rates neither")
                .next("give one or more users, such as 20,40, or rates, such as 50"));
        }
        if !self.users.is_empty() {
            axis("users", &self.users, 1_000_000)?;
        }
        rates(&self.rates)?;
        if let Some(users) = self.users.iter().find(|users| **users > self.max_users) {
            return Err(Error::usage(format!("users: {users} is more than max_users, {}", self.max_users))
                .next("raise it on purpose with --max-users, once the service's owners know"));
        }
        if let Some(pool) = self.pool.filter(|pool| *pool == 0 || *pool > self.max_users) {
            return Err(Error::usage(format!("pool: {pool} users cannot be used")).next(format!(
                "give 1 to {} users (max_users), or leave it out for 10 s of answers",
                self.max_users
            )));
        }
        if self.repeats == 0 || self.repeats > 100 {
            return Err(Error::usage(format!("repeats: {} cannot be measured", self.repeats))
                .next("give a number from 1 to 100"));
        }
        if let Some(longest) = self.max_duration.filter(|longest| *longest < self.duration) {
            return Err(Error::usage(format!(
                "max_duration: {longest} is shorter than duration, {}",
                self.duration
            ))
            .next(
                "give the longest time a scenario may be measured, or leave it out for twice the duration",
            ));
        }
        if let Some(shortest) =
            self.min_duration.filter(|shortest| *shortest > self.duration || shortest.is_zero())
        {
            return Err(Error::usage(format!(
                "min_duration: {shortest} is not between 0s and duration, {}",
                self.duration
            ))
            .next("give a part of the duration, or leave it out for a quarter"));
        }
        if self.objective.goals().iter().any(|(_, most)| *most == 0) {
            return Err(Error::usage("objective: 0 ms cannot be reached")
                .next("give a time in ms, such as p95_ms: 500"));
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

fn rates(values: &[f64]) -> Result<()> {
    let problem = if let Some(rate) =
        values.iter().find(|rate| !(rate.is_finite() && **rate >= 0.1 && **rate <= 100_000.0))
    {
        format!("{rate} requests/s cannot be offered")
    } else if let Some((_, rate)) = values
        .iter()
        .enumerate()
        .find(|(at, rate)| values[..*at].iter().any(|other| other.total_cmp(rate).is_eq()))
    {
        format!("{rate} is given twice")
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("rates: {problem}"))
        .next("give different numbers from 0.1 to 100000, such as 10,20"))
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, Span};
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
        let cases: [(&str, Spoil); 13] = [
            ("users: 0 cannot", |c| c.users = vec![0]),
            ("users: 1001 is more than max_users, 1000", |c| c.users = vec![1001]),
            ("workers: has no value", |c| c.workers = vec![]),
            ("replicas: 2 is given twice", |c| c.replicas = vec![2, 1, 2]),
            ("duration: 0s", |c| c.duration = Span::from_secs(0)),
            ("spawn_rate: -1", |c| c.spawn_rate = Some(-1.0)),
            ("rates: 0 requests/s", |c| c.rates = vec![10.0, 0.0]),
            ("rates: 12.5 is given twice", |c| c.rates = vec![12.5, 3.0, 12.5]),
            ("pool: 1001 users", |c| c.pool = Some(1001)),
            ("repeats: 0", |c| c.repeats = 0),
            ("max_duration: 1s is shorter", |c| c.max_duration = Some(Span::from_secs(1))),
            ("min_duration: 1h is not between", |c| c.min_duration = Some(Span::from_secs(3600))),
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

    #[test]
    fn a_matrix_of_rates_alone_is_one() {
        let mut config = base();
        (config.users, config.rates) = (vec![], vec![12.5]);
        config.clone().checked().unwrap();
        assert_eq!(
            (config.pool_for(12.5), config.pool_for(1e4)),
            (125, 1000),
            "10 s of answers, max_users at most"
        );
        config.rates = vec![];
        assert!(config.checked().unwrap_err().message.starts_with("users: has no value"));
    }
}
