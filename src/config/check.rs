//! Checks of the configuration. Every error names the setting and says which values are possible.

use records::Objective;

use super::address::{PodPage, health_problem, primary_problem, url_problem};
use super::complete::{Config, Inference};
use super::search::check_capacity;
use super::workload::{WorkloadName, is_object_name};
use crate::exit::{Error, Result};
use crate::secrets::has_credentials;

/// The most replicas and workers that a scenario may have.
const MAX_PODS: u32 = 1000;
/// The most runs whose records a cluster keeps: the manifests prepare ConfigMaps for as many.
pub const MOST_RUNS: usize = 3;
/// The largest possible value of `users`; `max_users` is usually lower.
const MAX_USERS: u32 = 1_000_000;

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    /// Exit code 2, naming the first setting that cannot be used and its possible values.
    pub fn checked(self) -> Result<Self> {
        self.check_load()?;
        self.check_times()?;
        if self.repeats == 0 || self.repeats > 100 {
            return Err(Error::usage(format!("repeats: {} cannot be measured", self.repeats))
                .next("give a number from 1 to 100"));
        }
        check_objective("objective", &self.objective)?;
        for (name, goals) in &self.objective.endpoints {
            check_endpoint_objective(name, goals)?;
        }
        check_capacity(&self)?;
        check_inference(&self.inference)?;
        if !(1..=MOST_RUNS).contains(&self.record.keep) {
            return Err(Error::usage(format!("record.keep: {} runs cannot be kept", self.record.keep))
                .next(format!("give a number from 1 to {MOST_RUNS}")));
        }
        Ok(self)
    }

    fn check_load(&self) -> Result<()> {
        check_counts("replicas", &self.replicas, MAX_PODS)?;
        check_counts("workers", &self.workers, MAX_PODS)?;
        if self.max_users == 0 {
            return Err(Error::usage("max_users: 0 permits no load")
                .next("give the largest number of users, 1 or more"));
        }
        if self.users.is_empty() && self.rates.is_empty() {
            return Err(Error::usage("users: has no value, and rates has none either")
                .next("give one or more users, such as 20,40, or rates, such as 50"));
        }
        if !self.users.is_empty() {
            check_counts("users", &self.users, MAX_USERS)?;
        }
        check_rates(&self.rates)?;
        if let Some(users) = self.users.iter().find(|users| **users > self.max_users) {
            return Err(Error::usage(format!("users: {users} is more than max_users, {}", self.max_users))
                .next("raise it on purpose with --max-users, once the service's owners know"));
        }
        if let Some(pool) = self.pool.filter(|pool| *pool == 0 || *pool > self.max_users) {
            return Err(Error::usage(format!("pool: {pool} users cannot be used")).next(format!(
                "give 1 to {} users (max_users), or leave it out: it is then enough for response times of 10 s",
                self.max_users
            )));
        }
        let workers = self.workers.iter().copied().max().unwrap_or(1);
        if let Some(pool) = self.pool.filter(|pool| *pool < workers) {
            return Err(Error::usage(format!("pool: {pool} users are less than {workers} workers"))
                .next("give each worker a user or more: each gets an equal share of the arrivals"));
        }
        if let Some(rate) = self.spawn_rate
            && !(rate.is_finite() && rate >= 0.1)
        {
            return Err(Error::usage(format!("spawn_rate: {rate} users/s cannot be used"))
                .next("give 0.1 users/s or more, or leave it out for users / 10"));
        }
        Ok(())
    }

    fn check_times(&self) -> Result<()> {
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
            .next("give a time up to the duration, or leave it out for a quarter of it"));
        }
        for (setting, time) in [
            ("duration", self.duration),
            ("timeouts.master", self.timeouts.master),
            ("timeouts.ready", self.timeouts.ready),
            ("timeouts.place", self.timeouts.place),
            ("timeouts.workers", self.timeouts.workers),
            ("timeouts.ramp", self.timeouts.ramp),
            ("timeouts.stop", self.timeouts.stop),
        ] {
            if time.is_zero() {
                return Err(
                    Error::usage(format!("{setting}: 0s is too short")).next("give a time such as 20s or 2m")
                );
            }
        }
        Ok(())
    }
}

fn check_endpoint_objective(name: &str, goals: &Objective) -> Result<()> {
    if name.split_once(' ').is_none() {
        return Err(Error::usage(format!("objective.endpoints: '{name}' names no endpoint"))
            .next("give method and name as Locust shows them, such as 'GET /window'"));
    }
    if !goals.endpoints.is_empty() {
        return Err(Error::usage(format!("objective.endpoints: '{name}' has endpoints of its own"))
            .next("name each endpoint beside the others"));
    }
    check_objective(&format!("objective of {name}"), goals)
}

fn check_objective(setting: &str, objective: &Objective) -> Result<()> {
    if objective.goals().iter().any(|(_, limit_ms)| *limit_ms == 0) {
        return Err(Error::usage(format!("{setting}: 0 ms cannot be reached"))
            .next("give a time in ms, such as p95_ms: 500"));
    }
    let mut goals = objective.goals();
    goals.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let Some(pair) = goals.windows(2).find(|pair| pair[0].1 > pair[1].1) {
        let [(low, more), (high, less)] = [pair[0], pair[1]];
        let name = |quantile: f64| format!("p{}_ms", (quantile * 1000.0).round() / 10.0).replace('.', "");
        return Err(Error::usage(format!(
            "{setting}: {}: {less} is less than {}: {more}",
            name(high),
            name(low)
        ))
        .next("a higher percentile cannot be lower: exchange the two, or leave one out"));
    }
    if let Some(failures) = objective.failures_pct.filter(|share| !(0.0..=100.0).contains(share)) {
        return Err(Error::usage(format!("{setting}: failures_pct: {failures} is not a share in %"))
            .next("give a number from 0 to 100, such as failures_pct: 1"));
    }
    if let Some(rps) = objective.rps.filter(|rps| !(rps.is_finite() && *rps > 0.0)) {
        return Err(Error::usage(format!("{setting}: rps: {rps} is not a throughput"))
            .next("give requests/s above 0, such as rps: 50"));
    }
    Ok(())
}

fn check_inference(inference: &Inference) -> Result<()> {
    let Inference { deployment, workload, url, readiness_path, health, primary, metrics, counter } =
        inference;
    if workload.is_empty() {
        if !is_object_name(deployment) {
            let problem = if deployment.is_empty() {
                "is empty".into()
            } else {
                format!("'{deployment}' is not the name of an object")
            };
            return Err(Error::usage(format!("inference.deployment: {problem}")).next(
                "give the Deployment's name: lower-case letters, digits, '-' and '.', as kubectl get deployments shows \
                 it; anything else that kubectl scales is inference.workload",
            ));
        }
    } else {
        if *deployment != Inference::default().deployment {
            return Err(Error::usage("inference.workload and inference.deployment: both are given")
                .next("give one of them; inference.workload can be anything that kubectl scales"));
        }
        if let Err(problem) = workload.parse::<WorkloadName>() {
            return Err(Error::usage(format!("inference.workload: {problem}"))
                .next("give a name, or KIND/NAME such as statefulset/bert or rollouts.argoproj.io/bert"));
        }
    }
    refuse_credentials("inference.url", url)?;
    if let Some((problem, next)) = url_problem(url, primary) {
        return Err(Error::usage(format!("inference.url: {problem}")).next(next));
    }
    if !readiness_path.starts_with('/') || readiness_path.contains(|c: char| c.is_whitespace() || c == '#') {
        return Err(Error::usage(format!("inference.readiness_path: '{readiness_path}' is not a path"))
            .next("give one that begins with /, such as /healthz; for another port, use inference.health"));
    }
    if let Some(health) = health {
        refuse_credentials("inference.health", health)?;
    }
    if let Some(problem) = health_problem(inference) {
        return Err(Error::usage(format!("inference.health: {problem}")).next(
            "give a path such as /ready, another port of the service such as http://:8000/v2/health/ready, or a URL",
        ));
    }
    if let Some(problem) = primary_problem(primary) {
        return Err(Error::usage(format!("inference.primary: {problem}"))
            .next("give method and name as Locust shows them, such as 'POST /predict'"));
    }
    if !metrics.is_empty() && PodPage::parse(metrics).is_none() {
        return Err(Error::usage(format!("inference.metrics: '{metrics}' is not PORT/path")).next(
            "give the port and path of each pod's metrics, such as 8000/metrics or http://:8002/metrics, or '' if it has none",
        ));
    }
    if let Some(problem) = counter.problem() {
        return Err(Error::usage(format!("inference.counter: {problem}"))
            .next("give the counter's name as the metrics page has it, such as http_requests_total"));
    }
    Ok(())
}

/// Refuses an address with a user or a password in it, without repeating it.
///
/// # Errors
/// Exit code 2, naming the setting.
pub fn refuse_credentials(setting: &str, address: &str) -> Result<()> {
    if !has_credentials(address) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{setting}: it has a user or a password in it, and addresses are in logs, records and reports"
    ))
    .next("remove it; the load can send a header: see 'Headers and TLS' in docs/your-service.md"))
}

fn check_counts(setting: &str, values: &[u32], max: u32) -> Result<()> {
    let problem = if values.is_empty() {
        "has no value".to_owned()
    } else if values.contains(&0) {
        "0 cannot be measured".to_owned()
    } else if let Some(value) = values.iter().find(|value| **value > max) {
        format!("{value} is more than {max}")
    } else if let Some((_, value)) =
        values.iter().enumerate().find(|(at, value)| values[..*at].contains(value))
    {
        format!("{value} is given twice")
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("{setting}: {problem}"))
        .next(format!("give one or more different numbers from 1 to {max}, such as 1,2")))
}

fn check_rates(values: &[f64]) -> Result<()> {
    let problem = if let Some(rate) =
        values.iter().find(|rate| !(rate.is_finite() && **rate >= 0.1 && **rate <= 100_000.0))
    {
        format!("{rate} requests/s is not possible")
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
    use super::super::settings::Settings;
    use super::super::span::Span;
    use super::*;
    use crate::exit::ExitCode;

    fn default_config() -> Config {
        Settings::default().complete().unwrap()
    }

    #[test]
    fn by_default_a_tenth_of_the_users_is_started_per_second() {
        assert!((default_config().spawn_rate_for(400) - 40.0).abs() < f64::EPSILON);
        assert!((default_config().spawn_rate_for(3) - 1.0).abs() < f64::EPSILON);
        let search = Settings::parse("{capacity: {}, objective: {p95_ms: 500}}").unwrap().complete().unwrap();
        assert!((search.spawn_rate_for(400) - 80.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_impossible_setting_is_named_in_the_error() {
        type Change = fn(&mut Config);
        let cases: [(&str, Change); 19] = [
            ("users: 0 cannot", |c| c.users = vec![0]),
            ("users: 1001 is more than max_users, 1000", |c| c.users = vec![1001]),
            ("workers: has no value", |c| c.workers = vec![]),
            ("replicas: 2 is given twice", |c| c.replicas = vec![2, 1, 2]),
            ("duration: 0s", |c| c.duration = Span::from_secs(0)),
            ("spawn_rate: -1", |c| c.spawn_rate = Some(-1.0)),
            ("rates: 0 requests/s", |c| c.rates = vec![10.0, 0.0]),
            ("rates: 12.5 is given twice", |c| c.rates = vec![12.5, 3.0, 12.5]),
            ("pool: 1001 users", |c| c.pool = Some(1001)),
            ("max_users: 0", |c| c.max_users = 0),
            ("max_users: 0", |c| (c.users, c.rates, c.max_users) = (vec![], vec![10.0], 0)),
            ("repeats: 0", |c| c.repeats = 0),
            ("max_duration: 1s is shorter", |c| c.max_duration = Some(Span::from_secs(1))),
            ("min_duration: 1h is not between", |c| c.min_duration = Some(Span::from_secs(3600))),
            ("inference.url: 'nowhere'", |c| c.inference.url = "nowhere".into()),
            ("inference.metrics: '/metrics'", |c| c.inference.metrics = "/metrics".into()),
            ("inference.metrics: '8000'", |c| c.inference.metrics = "8000".into()),
            ("inference.metrics: 'http/metrics'", |c| c.inference.metrics = "http/metrics".into()),
            ("inference.metrics: '70000/metrics'", |c| c.inference.metrics = "70000/metrics".into()),
        ];
        for (expected, change) in cases {
            let mut config = default_config();
            change(&mut config);
            let error = config.checked().unwrap_err();
            assert!(error.message.starts_with(expected), "{error}");
            assert_eq!(error.code, ExitCode::Usage);
            assert!(error.next.is_some());
        }
    }

    #[test]
    fn an_address_with_a_password_is_refused_without_repeating_it() {
        for url in ["http://me:pl4nted@h:8000", "https://pl4nted@h/x", "me:pl4nted@h", "ftp://me:pl4nted@h"] {
            let mut config = default_config();
            config.inference.url = url.into();
            let error = config.checked().unwrap_err();
            assert_eq!(error.code, ExitCode::Usage);
            assert!(error.message.starts_with("inference.url: "), "{error}");
            assert!(!error.to_string().contains("pl4nted"), "{error}");
        }
    }

    #[test]
    fn metrics_are_a_port_and_a_path_or_nothing() {
        for metrics in ["8000/metrics", "9090/", "8000/deep/path?format=text", ""] {
            let mut config = default_config();
            config.inference.metrics = metrics.into();
            config.checked().unwrap();
        }
    }

    #[test]
    fn a_matrix_may_have_rates_and_no_users() {
        let mut config = default_config();
        (config.users, config.rates) = (vec![], vec![12.5]);
        config.clone().checked().unwrap();
        assert_eq!(
            (
                config.pool_for(12.5, 1),
                config.pool_for(12.5, 2),
                config.pool_for(0.5, 8),
                config.pool_for(1e4, 2)
            ),
            (171, 192, 40, 1000),
            "enough for response times of 10 s at each worker, but at most max_users"
        );
        config.rates = vec![];
        assert!(config.checked().unwrap_err().message.starts_with("users: has no value"));
    }
}
