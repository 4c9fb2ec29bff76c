//! What a plan may learn from the records.

use super::cause::Cause;
use super::goal::{Goal, Limited};
use super::goals::{outcome_of, ratio_to_goal};
use super::judged::Judged;
use super::points::Point;
use super::row::Row;
use super::run::JudgedRun;
use super::verdict::Verdict;
use crate::plan::{Meets, Outcome, Worth};

/// The outcome of each scenario that is not to be measured again, in the order of the plan.
pub fn outcomes(run: &JudgedRun<'_>) -> Vec<Outcome> {
    let rows = run.rows.iter().filter(|row| !run.is_unfinished(&row.record.scenario.id));
    rows.map(outcome).collect()
}

fn outcome(judged: &Judged<'_>) -> Outcome {
    let row = Row::of(judged);
    let worth = worth(&row);
    let record = row.record;
    let point = Point::of_one(&row);
    let objective = match (worth, row.primary.is_some()) {
        (Worth::Exceeded, _) => Meets::Missed,
        (Worth::Figures, true) => outcome_of(&point, &record.objective).meets(),
        _ => Meets::Unknown,
    };
    let goals = Goal::all(&record.objective);
    let lowest = |is_wanted: fn(&Goal) -> bool| {
        let ratios = goals.iter().filter(|goal| is_wanted(goal)).map(|goal| ratio_to_goal(&point, goal));
        ratios.collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::min)
    };
    let headroom = lowest(|goal| matches!(goal.limited, Limited::Percentile(_)));
    Outcome {
        scenario: record.scenario.clone(),
        worth,
        objective,
        rps: row.primary.map(|figures| figures.goodput),
        under_way: row.aggregated.and_then(|figures| Some(figures.rps * figures.mean_ms? / 1000.0)),
        p95_us: row.p95_us(),
        headroom: if worth == Worth::Exceeded { Some(0.0) } else { headroom },
        throughput: lowest(|goal| goal.limited == Limited::Throughput),
        took_s: record.finished_at.duration_since(record.started_at).as_secs_f64(),
    }
}

fn worth(row: &Row<'_>) -> Worth {
    match row.judgement.verdict {
        // An uneven spread of connections belongs to a service behind a load balancer of connections.
        Verdict::Valid | Verdict::Imbalanced => Worth::Figures,
        Verdict::Errors | Verdict::Overloaded => Worth::Exceeded,
        // Too much load can cause this. The other causes, such as a wrong script or setting, do not depend on the load.
        Verdict::Failed if has_only_failures(&row.judgement.causes) => Worth::Exceeded,
        Verdict::LoadgenLimited => Worth::GeneratorLimited,
        Verdict::Unstable | Verdict::Undersampled => Worth::Unclear,
        Verdict::Failed | Verdict::Void | Verdict::Infeasible => Worth::Nothing,
    }
}

fn has_only_failures(causes: &[Cause]) -> bool {
    causes.first() == Some(&Cause::EveryRequestFailed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;
    use records::{Objective, Record};

    fn of(change: impl Fn(&mut Record)) -> Outcome {
        let mut record = record(0, 1, 20, 800);
        record.objective = Objective { p95_ms: Some(150), rps: Some(10.0), ..Objective::default() };
        change(&mut record);
        let records = [record];
        outcomes(&JudgedRun::of(&records)).remove(0)
    }

    #[test]
    fn a_valid_row_tells_its_figures_and_how_far_they_are_from_their_goals() {
        let met = of(|_| {});
        assert_eq!((met.worth, met.objective, met.took_s), (Worth::Figures, Meets::Met, 30.0));
        assert_eq!((met.headroom, met.throughput, met.rps), (Some(1.5), Some(4.0), Some(40.0)));
        let missed = of(|record| record.objective.p95_ms = Some(50));
        assert_eq!((missed.objective, missed.headroom), (Meets::Missed, Some(0.5)));
    }

    #[test]
    fn failed_requests_exceed_the_service_and_a_disturbed_row_tells_nothing() {
        let errors = of(|record| record.window.as_mut().unwrap().endpoints[0].failures = 80);
        assert_eq!((errors.worth, errors.objective), (Worth::Exceeded, Meets::Missed));
        assert_eq!(errors.headroom, Some(0.0));
        let all = of(|record| record.window.as_mut().unwrap().endpoints[0].failures = 800);
        assert_eq!(all.worth, Worth::Exceeded);
        let void = of(|record| (record.attempt, record.disturbed) = (2, Some("a pod is gone".into())));
        assert_eq!((void.worth, void.objective), (Worth::Nothing, Meets::Unknown));
    }

    #[test]
    fn only_failures_of_every_request_are_too_much_load() {
        use records::UnmeasuredKind::{Broken, EveryRequestFailed, ScriptEnds};
        let nothing = |kind| {
            of(|record| {
                record.window = None;
                record.unmeasured = Some(records::Unmeasured::new(kind, "why"));
            })
        };
        let of_kind = |kind| nothing(kind).worth;
        assert_eq!(
            [EveryRequestFailed, Broken, ScriptEnds].map(of_kind),
            [Worth::Exceeded, Worth::Nothing, Worth::Nothing]
        );
        // Requests finished, but none to the endpoint that is named: the setting is wrong, not the load.
        let other = of(|record| record.environment.primary = "POST /other".into());
        assert_eq!((other.worth, other.objective), (Worth::Nothing, Meets::Unknown));
    }
}
