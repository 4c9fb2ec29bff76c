//! What a run is started to find out, from its complete configuration.

use records::{Mode, Question, Search};

use super::capacity::{CapacitySettings, SearchedLoad, Unknown};
use super::complete::Config;
use super::span::Span;
use crate::exit::{Error, Result};

/// The most probes for one number of replicas unless the settings say otherwise.
const MOST_PROBES: usize = 12;
/// The highest rate that is tried unless the settings say otherwise, requests/s.
const MOST_RATE: f64 = 1000.0;

/// The fewest repeats that have an interval.
const REPEATS: u32 = 3;

impl Config {
    /// The search; `None` if a fixed matrix is measured.
    pub fn search(&self) -> Option<Search> {
        let capacity = self.capacity.as_ref()?;
        let (mode, most, wanted) = match capacity.of {
            SearchedLoad::Users => {
                (Mode::Closed, f64::from(self.max_users), capacity.for_users.map(f64::from))
            }
            SearchedLoad::Rate => (Mode::Open, most_rate(capacity), capacity.for_rate),
        };
        Some(Search {
            mode,
            replicas: self.replicas.clone(),
            // The generator must not be the limit.
            workers: self.workers.iter().copied().max().unwrap_or(1),
            most,
            most_probes: capacity.max_probes.unwrap_or(MOST_PROBES),
            most_s: capacity.max_time.map(Span::secs),
            goal_s: self.objective.goals().iter().map(|(_, ms)| f64::from(*ms) / 1000.0).reduce(f64::min),
            pool: self.pool,
            most_pool: self.max_users,
            wanted,
            confirm: capacity.confirm,
            confirmations: if mode == Mode::Open || !self.objective.endpoints.is_empty() {
                REPEATS
            } else {
                1
            },
        })
    }

    /// What the run is started to find out, for its records.
    pub fn question(&self) -> Question {
        Question {
            gates: self.gates.clone(),
            unknown_passes: self.unknown == Unknown::Pass,
            search: self.search(),
            planned: None,
        }
    }
}

/// The highest rate that a search may try, requests/s.
fn most_rate(capacity: &CapacitySettings) -> f64 {
    capacity.max_rate.unwrap_or(MOST_RATE)
}

/// Checks a search.
///
/// # Errors
/// Exit code 2, naming the first setting that cannot be used.
pub(super) fn check_capacity(config: &Config) -> Result<()> {
    let Some(capacity) = &config.capacity else { return Ok(()) };
    let refuse = |problem: &str, next: &str| Err(Error::usage(format!("capacity: {problem}")).next(next));
    if config.objective.is_empty() {
        return refuse("there is no objective to meet", "add one, such as --objective 'p95<500ms'");
    }
    if config.repeats > 1 || config.drift {
        return refuse(
            "repeats and drift are for a fixed matrix",
            "leave them out: a search chooses its own probes",
        );
    }
    if capacity.max_probes.is_some_and(|probes| !(3..=100).contains(&probes)) {
        return refuse("max_probes must be 3 to 100", "leave it out for 12");
    }
    if capacity.max_time.is_some_and(Span::is_zero) {
        return refuse("max_time: 0s is too short", "give a time such as 30m, or leave it out");
    }
    let is_rate = |rate: f64| rate.is_finite() && (0.1..=100_000.0).contains(&rate);
    if [capacity.max_rate, capacity.for_rate].into_iter().flatten().any(|rate| !is_rate(rate)) {
        return refuse("a rate is not possible", "give a number from 0.1 to 100000");
    }
    match (capacity.of, capacity.for_users, capacity.for_rate) {
        (SearchedLoad::Rate, Some(_), _) | (SearchedLoad::Users, _, Some(_)) => {
            return refuse(
                "the load that is wanted is of the other model",
                "use for_users with users, and for_rate with rate",
            );
        }
        (_, Some(0), _) => return refuse("for_users: 0 needs no replica", "give a number of 1 or more"),
        (_, None, None) if capacity.confirm => {
            return refuse("there is nothing to confirm", "add --for-users or --for-rate");
        }
        (SearchedLoad::Users, ..) if capacity.max_rate.is_some() => {
            return refuse(
                "max_rate is for rates, and users are searched",
                "search rates (--capacity rate), or limit users with --max-users",
            );
        }
        (_, _, Some(rate)) if capacity.confirm && rate > most_rate(capacity) => {
            return refuse(
                &format!("for_rate: {rate} is more than max_rate, {}", most_rate(capacity)),
                "raise it on purpose with --max-rate, once the service's owners know",
            );
        }
        (_, Some(users), _) if capacity.confirm && users > config.max_users => {
            return refuse(
                &format!("for_users: {users} is more than max_users, {}", config.max_users),
                "raise it on purpose with --max-users, once the service's owners know",
            );
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::super::{GateFlag, MatrixFlags, Until};
    use super::*;

    fn config(text: &str) -> Result<Config> {
        Settings::parse(text).unwrap().complete()
    }

    #[test]
    fn a_search_is_read_from_settings_and_measures_until_the_figures_are_stable() {
        let text = "{preset: quick, replicas: [1, 4], objective: {p95_ms: 500, p50_ms: 200}, \
                    capacity: {for_users: 100, confirm: true, max_time: 30m}}";
        let config = config(text).unwrap();
        let search = config.search().unwrap();
        assert_eq!((search.replicas, search.workers, search.most), (vec![1, 4], 2, 1000.0));
        assert_eq!((search.goal_s, search.wanted, search.most_s), (Some(0.2), Some(100.0), Some(1800.0)));
        assert_eq!((config.until, search.most_probes, search.confirm), (Until::Stable, 12, true));
        let settings = Settings::parse(text).unwrap();
        assert_eq!(Settings::parse(&settings.to_yaml().unwrap()).unwrap(), settings);
    }

    #[test]
    fn a_search_is_asked_for_by_flags() {
        let flags = MatrixFlags {
            objective: vec!["p95<500ms".parse().unwrap()],
            for_rate: Some(50.0),
            gate: vec!["replicas=4,users=100".parse().unwrap()],
            unknown: Some(Unknown::Pass),
            ..MatrixFlags::default()
        };
        let config = Settings::from_flags(&flags).unwrap().complete().unwrap();
        assert_eq!(
            config.search().map(|search| (search.mode, search.wanted)),
            Some((Mode::Open, Some(50.0)))
        );
        let limited = MatrixFlags { for_rate: None, max_rate: Some(50.0), ..flags };
        let search = Settings::from_flags(&limited).unwrap().complete().unwrap().search().unwrap();
        assert_eq!((search.mode, search.most), (Mode::Open, 50.0), "a limit for rates asks for rates");
        let question = config.question();
        assert_eq!((question.gates[0].replicas, question.gates[0].users), (Some(4), Some(100)));
        assert!(question.unknown_passes && "replicas=many".parse::<GateFlag>().is_err());
        assert!("size=4".parse::<GateFlag>().is_err());
    }

    #[test]
    fn rates_are_refused_where_users_are_searched() {
        let error = config("{capacity: {}, rates: [10], objective: {p95_ms: 5}}").unwrap_err();
        assert!(error.message.starts_with("rates: a search for users"), "{error}");
        assert!(config("{capacity: {of: rate}, rates: [10], objective: {p95_ms: 5}}").is_ok());
    }

    #[test]
    fn a_search_that_cannot_be_made_is_refused() {
        for (text, problem) in [
            ("{capacity: {}}", "there is no objective"),
            ("{capacity: {}, objective: {p95_ms: 5}, repeats: 2}", "repeats and drift"),
            ("{capacity: {max_probes: 2}, objective: {p95_ms: 5}}", "max_probes"),
            ("{capacity: {of: rate, for_users: 9}, objective: {p95_ms: 5}}", "the load that is wanted"),
            ("{capacity: {confirm: true}, objective: {p95_ms: 5}}", "there is nothing to confirm"),
            (
                "{capacity: {confirm: true, for_users: 2000}, objective: {p95_ms: 5}}",
                "for_users: 2000 is more",
            ),
            ("{capacity: {max_rate: 0}, objective: {p95_ms: 5}}", "a rate is not possible"),
            ("{capacity: {max_rate: 50}, objective: {p95_ms: 5}}", "max_rate is for rates"),
            (
                "{capacity: {of: rate, confirm: true, for_rate: 3000}, objective: {p95_ms: 5}}",
                "for_rate: 3000 is more than max_rate, 1000",
            ),
        ] {
            let error = config(text).unwrap_err();
            assert!(error.message.starts_with(&format!("capacity: {problem}")), "{error}");
        }
    }
}
