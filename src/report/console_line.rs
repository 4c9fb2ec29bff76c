//! One line on how a scenario ended, for the console.

use crate::events::minutes;
use crate::judge::{Judged, Row};
use crate::measure::Estimate;

/// The figures of the primary endpoint and the reasons of a judged record, in one line.
pub fn console_line(judged: &Judged<'_>) -> String {
    let row = Row::of(judged);
    let figures = match (row.primary, row.counts) {
        (Some(figures), Some(counts)) => {
            let ms = |quantile: f64| {
                let estimate = Estimate::of(&counts.histogram, quantile);
                if estimate.is_sampled() { format!("{estimate} ms") } else { estimate.to_string() }
            };
            let failures = figures.failures_pct.map_or("-".to_owned(), |share| format!("{share:.2} %"));
            format!(
                "{}: {:.1} successful requests/s, median {}, P95 {}, P99 {}, {failures} failed of {} in {}",
                judged.record.environment.primary,
                figures.goodput,
                ms(0.50),
                ms(0.95),
                ms(0.99),
                counts.requests,
                minutes(row.seconds.unwrap_or_default()),
            )
        }
        _ => "nothing was measured".to_owned(),
    };
    let judgement = &judged.judgement;
    if judgement.reasons.is_empty() {
        return figures;
    }
    let said = format!("{} ({figures})", judgement.reasons.join("; "));
    // A row without figures stops the reader here; for the others the report has the next step.
    match judgement.next_step().filter(|_| judgement.verdict.is_failure()) {
        Some(next) => format!("{said}; next: {next}"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::JudgedRun;
    use crate::record::tests::record;

    #[test]
    fn a_percentile_without_enough_samples_is_not_a_number() {
        let records = [record(0, 1, 20, 100)];
        let run = JudgedRun::of(&records);
        assert_eq!(
            console_line(&run.rows[0]),
            "POST /predict: 5.0 successful requests/s, median 100 ms, P95 100 ms, P99 n/a (n<459), 0.00 % failed of 100 in 20 s"
        );
    }
}
