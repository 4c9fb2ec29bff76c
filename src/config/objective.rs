//! Objectives on the command line: `p95<500ms`, `failures<1%`, `rps>=50`, `GET /window: p99<80ms`.

use std::collections::BTreeMap;
use std::str::FromStr;

use records::Objective;

/// What every message about a malformed goal ends with.
const EXAMPLES: &str = "write it like 'p95<500ms', 'failures<1%', 'rps>=50' or 'GET /window: p99<80ms'";

/// One goal of `--objective`, as an objective that has only this goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal(pub(super) Objective);

impl Goal {
    /// An objective that has only this goal.
    pub const fn objective(&self) -> &Objective {
        &self.0
    }
}

/// What a goal is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Figure {
    P50,
    P90,
    P95,
    P99,
    P999,
    Failures,
    Throughput,
}

const FIGURES: [(&str, Figure); 9] = [
    ("p50", Figure::P50),
    ("median", Figure::P50),
    ("p90", Figure::P90),
    ("p95", Figure::P95),
    ("p99", Figure::P99),
    ("p99.9", Figure::P999),
    ("p999", Figure::P999),
    ("failures", Figure::Failures),
    ("rps", Figure::Throughput),
];

impl FromStr for Goal {
    type Err = String;

    /// Reads a goal. The error names the position, counted in characters from 1.
    fn from_str(text: &str) -> Result<Self, String> {
        let (endpoint, goal) = match text.rsplit_once(": ") {
            Some((endpoint, goal)) => (Some(endpoint.trim()), goal),
            None => (None, text),
        };
        let start = text.len() - goal.len();
        // `at` counts bytes from the start of the goal.
        let wrong = |at: usize, problem: &str| {
            let position = text.get(..start + at).unwrap_or(text).chars().count() + 1;
            format!("at character {position}: {problem}; {EXAMPLES}")
        };
        if endpoint.is_some_and(|endpoint| endpoint.split_once(' ').is_none()) {
            return Err(format!(
                "at character 1: the endpoint is not a method and a name as Locust shows them; {EXAMPLES}"
            ));
        }
        let operator = goal.find(['<', '>', '=']).ok_or_else(|| wrong(goal.len(), "there is no < or >="))?;
        let name = goal[..operator].trim().to_ascii_lowercase();
        let known = FIGURES.iter().find(|(known, _)| *known == name);
        let figure = known.map(|(_, figure)| *figure).ok_or_else(|| {
            wrong(0, &format!("'{name}' is none of p50, p90, p95, p99, p99.9, failures and rps"))
        })?;
        let rest = &goal[operator..];
        let length = rest.find(|c| !['<', '>', '='].contains(&c)).unwrap_or(rest.len());
        let expected: [&str; 2] = if figure == Figure::Throughput { [">=", ">"] } else { ["<", "<="] };
        if !expected.contains(&&rest[..length]) {
            return Err(wrong(operator, &format!("{name} takes {}", expected.join(" or "))));
        }
        let after = operator + length;
        let value_at = after + (goal[after..].len() - goal[after..].trim_start().len());
        let objective = figure.goal(goal[value_at..].trim()).map_err(|problem| wrong(value_at, &problem))?;
        Ok(Self(match endpoint {
            Some(name) => Objective {
                endpoints: BTreeMap::from([(name.to_owned(), objective)]),
                ..Objective::default()
            },
            None => objective,
        }))
    }
}

impl Figure {
    /// The objective with this value as its only goal.
    fn goal(self, value: &str) -> Result<Objective, String> {
        let mut objective = Objective::default();
        match self {
            Self::P50 => objective.p50_ms = Some(whole_ms(value)?),
            Self::P90 => objective.p90_ms = Some(whole_ms(value)?),
            Self::P95 => objective.p95_ms = Some(whole_ms(value)?),
            Self::P99 => objective.p99_ms = Some(whole_ms(value)?),
            Self::P999 => objective.p999_ms = Some(whole_ms(value)?),
            Self::Failures => {
                let share = value.strip_suffix('%').and_then(|share| share.trim().parse().ok());
                objective.failures_pct = Some(share.ok_or_else(|| format!("'{value}' is not a share in %"))?);
            }
            Self::Throughput => {
                let rps = value.strip_suffix("/s").unwrap_or(value).trim().parse().ok();
                objective.rps = Some(rps.ok_or_else(|| format!("'{value}' is not a number of requests/s"))?);
            }
        }
        Ok(objective)
    }
}

/// A time in whole ms, from ms or s.
fn whole_ms(value: &str) -> Result<u32, String> {
    let (number, factor) = match (value.strip_suffix("ms"), value.strip_suffix('s')) {
        (Some(number), _) => (number, 1.0),
        (None, Some(number)) => (number, 1000.0),
        (None, None) => return Err(format!("'{value}' is not a time with its unit, ms or s")),
    };
    let ms = number.trim().parse::<f64>().ok().map(|number| number * factor);
    let whole = ms.filter(|ms| (1.0..=f64::from(u32::MAX)).contains(ms) && (ms - ms.round()).abs() < 1e-6);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in the range of a u32")]
    whole.map(|ms| ms.round() as u32).ok_or_else(|| format!("'{value}' is not a time of whole ms, 1 or more"))
}

/// The objective with the goals of the primary endpoint in the place of those without a name.
pub(super) fn primary_first(mut objective: Objective, primary: &str) -> Objective {
    match objective.endpoints.remove(primary) {
        Some(goals) => objective.with(goals),
        None => objective,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(text: &str) -> Objective {
        text.parse::<Goal>().unwrap().0
    }

    #[test]
    fn each_kind_of_goal_is_read() {
        assert_eq!(goal("p95<500ms"), Objective { p95_ms: Some(500), ..Objective::default() });
        assert_eq!(goal("P99.9 <= 1.5s"), Objective { p999_ms: Some(1500), ..Objective::default() });
        assert_eq!(goal("failures < 0.5 %"), Objective { failures_pct: Some(0.5), ..Objective::default() });
        assert_eq!(goal("rps>=50"), Objective { rps: Some(50.0), ..Objective::default() });
        let window = goal("GET /window: p99<80ms");
        assert_eq!(window.endpoints["GET /window"].p99_ms, Some(80));
        assert_eq!(goal("GET /a: b: median<8ms").endpoints["GET /a: b"].p50_ms, Some(8));
    }

    #[test]
    fn a_malformed_goal_is_refused_with_its_position_and_an_example() {
        for (text, at, problem) in [
            ("p95", 4, "there is no <"),
            ("p42<500ms", 1, "'p42' is none of"),
            ("p95>500ms", 4, "p95 takes <"),
            ("rps<50", 4, "rps takes >="),
            ("p95<500", 5, "'500' is not a time with its unit"),
            ("p95< soon", 6, "'soon' is not a time"),
            ("p95<0.5ms", 5, "'0.5ms' is not a time of whole ms"),
            ("failures<1", 10, "'1' is not a share in %"),
            ("GET /é: rps>=x", 14, "'x' is not a number"),
            ("window: p95<5ms", 1, "the endpoint is not a method and a name"),
        ] {
            let error = text.parse::<Goal>().unwrap_err();
            assert!(error.starts_with(&format!("at character {at}: {problem}")), "{text}: {error}");
            assert!(error.ends_with(EXAMPLES), "{error}");
        }
    }
}
