//! The answer of a search: what each number of replicas carries, and how many a load needs.

use std::fmt;

use records::{Mode, Scenario, Search};

use super::certainty::{Certainty, certainty_of_point, certainty_of_row};
use super::goal::Goal;
use super::goals::outcome_of;
use super::outcomes::outcomes;
use super::points::Point;
use super::row::Row;
use super::run::JudgedRun;
use super::verdict::Verdict;
use crate::plan::{
    Capacity, Carries, Found, Limit, Meets, Needed, Outcome, Parameter, Scaling, Worth, at_least,
    confirmation_ids, found, load_of, needed, scaling,
};

/// The answer of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was searched.
    pub search: Search,
    /// The goals, in words.
    pub goals: String,
    /// What was found for each number of replicas.
    pub found: Vec<Found>,
    /// The replicas for the load that is wanted; `None` if none is.
    pub needed: Option<Needed>,
    /// The law by which other numbers of replicas are told; `None` if too few capacities are known, or no load is wanted.
    pub scaling: Option<Scaling>,
    /// The measurement of the answer; `None` if it was not asked for, or is not made yet.
    pub confirmation: Option<Confirmation>,
}

/// The measurement of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirmation {
    /// The ids of its scenarios: one, or its repeats.
    pub scenarios: Vec<String>,
    /// Whether it met the objective.
    pub meets: Meets,
    /// The worst verdict of its rows.
    pub status: &'static str,
    /// P95 of the primary endpoint, µs.
    pub p95: Certainty,
}

impl Confirmation {
    /// `None` until all of its scenarios are measured, or if there are none.
    fn of(run: &JudgedRun<'_>, outcomes: &[Outcome], ids: Vec<String>) -> Option<Self> {
        let rows: Option<Vec<Row<'_>>> = ids.iter().map(|id| run.row(id).map(Row::of)).collect();
        let (rows, first) = (rows?, ids.first()?);
        let worth = |row: &&Row<'_>| {
            let own = outcomes.iter().find(|outcome| outcome.scenario.id == row.record.scenario.id);
            own.is_some_and(|outcome| outcome.worth == Worth::Figures)
        };
        let point = Point::of_usable(&rows, worth);
        let meets = match rows.as_slice() {
            [_] => outcomes.iter().find(|outcome| outcome.scenario.id == *first)?.objective,
            _ => outcome_of(&point, &rows.first()?.record.objective).meets(),
        };
        let status = rows.iter().map(|row| row.judgement.verdict).min()?.status();
        let p95 = match rows.as_slice() {
            [only] => certainty_of_row(only, 0.95),
            _ => certainty_of_point(&point, 0.95),
        };
        Some(Self { scenarios: ids, meets, status, p95 })
    }
}

impl Answer {
    /// The answer that the records give; `None` if they are not those of a search.
    pub fn of(run: &JudgedRun<'_>) -> Option<Self> {
        let first = run.rows.first()?.record;
        let search = first.environment.question.search.clone()?;
        let goals: Vec<_> = Goal::all(&first.objective).iter().map(Goal::to_string).collect();
        let outcomes = outcomes(run);
        let found = found(&search, &outcomes);
        let needed = search.wanted.map(|wanted| needed(&found, wanted, search.confirm));
        let scaling = search.wanted.and_then(|_| scaling(&found));
        let confirmation = match &needed {
            Some(Needed::Replicas { carries, .. }) => {
                Confirmation::of(run, &outcomes, confirmation_ids(&search, carries.replicas))
            }
            _ => None,
        };
        Some(Self { search, goals: goals.join(" and "), found, needed, scaling, confirmation })
    }
}

impl fmt::Display for Answer {
    /// `7 replicas carry 1,000 users at P95 < 500 ms (6 would carry 905 [885, 925]); confirmed: P95 462 ms [451, 470]`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, goals) = (self.search.mode, &self.goals);
        match (&self.needed, self.search.wanted) {
            (Some(Needed::Replicas { carries, fewer, fewest }), Some(wanted)) => {
                write!(f, "{} {} at {goals}", carry(carries.replicas), load_of(mode, wanted))?;
                let fewer =
                    fewer.map(|fewer| format!("{} would carry {}", fewer.replicas, fewer.in_words(mode)));
                let fewest = (*fewest < carries.replicas).then(|| format!("{fewest} may be enough"));
                let more: Vec<_> =
                    self.not_measured(*carries).into_iter().chain(fewer).chain(fewest).collect();
                if !more.is_empty() {
                    write!(f, " ({})", more.join("; "))?;
                }
                self.confirmation.as_ref().map_or(Ok(()), |confirmation| write!(f, "; {confirmation}"))
            }
            (Some(Needed::TooLittle { carries, missed }), Some(wanted)) => write!(
                f,
                "{} is too little load: {} {} at {goals}, but {} miss it",
                load_of(mode, wanted),
                carry(carries.replicas),
                load_of(mode, at_least(mode, carries.load)),
                load_of(mode, *missed)
            ),
            (Some(Needed::NotKnown { beyond, peak }), Some(wanted)) => {
                write!(
                    f,
                    "how many replicas carry {} at {goals} is not known beyond {}, which {} {}: ",
                    load_of(mode, wanted),
                    crate::events::many(beyond.replicas, "replica"),
                    if beyond.replicas == 1 { "carries" } else { "carry" },
                    beyond.in_words(mode)
                )?;
                match peak {
                    Some(peak) => write!(
                        f,
                        "more of them carry {} at most, with {}, so make the service scale better, or each replica \
                         faster",
                        peak.in_words(mode),
                        peak.replicas
                    ),
                    None => f.write_str(self.next_for(beyond.replicas)),
                }
            }
            (Some(Needed::Nothing), Some(wanted)) => {
                let found: Vec<_> = self.found.iter().map(Found::to_string).collect();
                write!(
                    f,
                    "no replicas are known to carry {} at {goals}: {}",
                    load_of(mode, wanted),
                    found.join("; ")
                )
            }
            _ => {
                let found: Vec<_> = self.found.iter().map(Found::to_string).collect();
                write!(f, "at {goals}: {}", found.join("; "))
            }
        }
    }
}

impl Answer {
    /// That what these replicas carry was not measured, and which ones tell about them.
    fn not_measured(&self, carries: Carries) -> Option<String> {
        let is_measured = |found: &Found| {
            let own = found.capacity.carried().filter(|_| found.replicas == carries.replicas);
            own.is_some_and(|(low, ..)| low * 1.000_001 >= carries.low)
        };
        if self.confirmation.is_some() || self.found.iter().any(is_measured) {
            return None;
        }
        let known = self.found.iter().filter(|found| matches!(found.capacity, Capacity::Known { .. }));
        let known: Vec<String> = known.map(|found| found.replicas.to_string()).collect();
        let (last, others) = known.split_last()?;
        let known =
            if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
        Some(format!("not measured, but told from {known} replicas"))
    }

    /// What tells more than these replicas have told.
    fn next_for(&self, replicas: u32) -> &'static str {
        let found = self.found.iter().find(|found| found.replicas == replicas);
        let Some(Capacity::AtLeast { limit, .. }) = found.map(|found| &found.capacity) else {
            return "measure more replicas";
        };
        match (limit, self.search.mode) {
            (Limit::Generator, _) => "give the load generator more workers, or more CPU",
            (Limit::MostLoad, Mode::Closed) => "let it use more users (--max-users)",
            (Limit::MostLoad, Mode::Open) => "let it use a higher rate (--max-rate)",
            (Limit::MostTime, _) => "give it more time (--max-time)",
            (Limit::MostProbes, _) => "give it more probes (--max-probes)",
            (Limit::NotMeasured | Limit::Unclear | Limit::Unfinished, _) => "measure more replicas",
        }
    }

    /// Whether a scenario is a probe of these replicas: those that confirm the answer are none.
    pub fn has_probe(&self, replicas: u32, scenario: &Scenario) -> bool {
        let confirms = self.confirmation.as_ref().is_some_and(|one| one.scenarios.contains(&scenario.id));
        scenario.replicas == replicas && !confirms
    }

    /// The law by which other numbers of replicas are told, in a sentence; `None` if there is none.
    pub fn scaling_in_words(&self) -> Option<String> {
        let Scaling { each, contention, coherency, points, .. } = self.scaling?;
        let of = |Parameter { value, error }: Parameter, digits: usize| {
            format!("{value:.digits$} ± {error:.digits$}")
        };
        Some(format!(
            "Replicas between and beyond the {points} that were measured follow the Universal Scalability Law with \
             λ = {}, σ = {} and κ = {} (± one standard error).",
            of(each, 1),
            of(contention, 3),
            of(coherency, 4)
        ))
    }
}

fn carry(replicas: u32) -> String {
    format!(
        "{} {}",
        crate::events::many(replicas, "replica"),
        if replicas == 1 { "carries" } else { "carry" }
    )
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: f64| format!("{:.0}", us / 1000.0);
        let p95 =
            self.p95.value.filter(|value| value.is_finite()).map(|value| format!("P95 {} ms", ms(value)));
        let bounds = self.p95.bounds.ok().map(|b| format!(" [{}, {}]", ms(b.low), ms(b.high)));
        let has_interval = bounds.is_some();
        let p95 = p95.map(|p95| p95 + &bounds.unwrap_or_default());
        let is_valid = self.status == Verdict::Valid.status();
        let status = (!is_valid || p95.is_none()).then(|| self.status.to_owned());
        let said: Vec<_> = status.into_iter().chain(p95).collect();
        let said = said.join(", ");
        match self.meets {
            Meets::Met => write!(f, "confirmed: {said}"),
            Meets::Missed => write!(f, "but it does not hold: {said}"),
            Meets::Unknown if !is_valid => write!(f, "measured, but not valid: {said}"),
            Meets::Unknown if has_interval => write!(f, "measured, but too close to tell: {said}"),
            Meets::Unknown => write!(f, "measured, but without an interval: {said}"),
        }
    }
}
