//! The figures of one judged record, as sentences and tables use them.

use std::cmp::Ordering;
use std::sync::OnceLock;

use records::{Endpoint, Histogram, Mode, Record, ms};

use super::judged::Judged;
use super::verdict::{Judgement, Verdict};
use crate::events::many;
use crate::measure::{
    Estimate, Figures, NoBounds, Sections, corrected, mean_wait_s, quantile_of_endpoint, typical_cycle_us,
};

/// One scenario's row.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Its record.
    pub record: &'a Record,
    /// What its figures are worth.
    pub judgement: &'a Judgement,
    /// All endpoints together, over the window.
    pub aggregated: Option<Figures>,
    /// The primary endpoint, over the window.
    pub primary: Option<Figures>,
    /// The primary endpoint's counts, over the window.
    pub counts: Option<&'a Endpoint>,
    /// Length of the window, s.
    pub seconds: Option<f64>,
    /// Requests in the window.
    pub requests: Option<u64>,
    pub(super) sections: &'a OnceLock<Result<Sections, NoBounds>>,
}

impl<'a> Row<'a> {
    /// The row of a judged record.
    pub fn of(judged: &'a Judged<'a>) -> Self {
        let record = judged.record;
        // A window without a request has no figures, not zeros.
        let window = record.window.as_ref().filter(|window| window.aggregated.requests > 0);
        let counts = window.and_then(|window| window.endpoint(&record.environment.primary));
        let (aggregated, primary) = *judged.figures.get_or_init(|| {
            let aggregated = window.map(|window| Figures::of(&window.aggregated, window.seconds));
            (aggregated, counts.zip(window).map(|(counts, window)| Figures::of(counts, window.seconds)))
        });
        Self {
            record,
            judgement: &judged.judgement,
            aggregated,
            primary,
            counts,
            seconds: window.map(|window| window.seconds),
            requests: window.map(|window| window.aggregated.requests),
            sections: &judged.sections,
        }
    }

    /// Whether its figures may be cited.
    pub fn is_valid(&self) -> bool {
        self.judgement.verdict == Verdict::Valid
    }

    /// Whether it is of the open model.
    pub fn is_open(&self) -> bool {
        self.record.scenario.mode == Mode::Open
    }

    /// The counts of an endpoint over the window, by method and name.
    pub fn endpoint(&self, label: &str) -> Option<&'a Endpoint> {
        let window = self.record.window.as_ref()?;
        window.endpoint(label).filter(|counts| counts.requests > 0)
    }

    /// A quantile (0 to 1) of the primary endpoint, all requests.
    pub fn estimate(&self, quantile: f64) -> Option<Estimate> {
        self.counts.map(|counts| Estimate::of(&counts.histogram, quantile))
    }

    /// A percentile of the primary endpoint, µs, with a failed request as infinitely slow: a service that fails fast is not
    /// fast. `None` if there are too few samples for it.
    pub fn percentile_us(&self, quantile: f64) -> Option<f64> {
        self.estimate(quantile).filter(Estimate::is_sampled)?;
        quantile_of_endpoint(self.counts?, quantile)
    }

    /// The primary endpoint's P95, µs. `None` if it has too few samples, or if failed requests make it infinite.
    pub fn p95_us(&self) -> Option<u64> {
        finite_us(self.percentile_us(0.95)?)
    }

    /// The primary endpoint's P95 in ms, `∞` if failed requests make it infinite. `None` if it has too few samples.
    pub fn p95_in_ms(&self) -> Option<String> {
        self.percentile_us(0.95).map(|us| finite_us(us).map_or("∞".to_owned(), ms))
    }

    /// The order of two rows by their P95: first those with too few samples, last those with an infinite one.
    pub fn compare_p95(&self, other: &Self) -> Ordering {
        let p95 = |row: &Self| row.percentile_us(0.95);
        p95(self).partial_cmp(&p95(other)).unwrap_or(Ordering::Equal)
    }

    /// In the closed model, the primary endpoint's histogram as it would be if each user had asked once per
    /// typical cycle, with that cycle in µs.
    pub fn corrected(&self) -> Option<(Histogram, u64)> {
        let counts = self.counts.filter(|_| !self.is_open())?;
        let think_s = self.record.stopping_rule.as_ref().map_or(0.0, |rule| rule.think_s);
        let think_s = mean_wait_s(think_s, &self.record.intervals);
        let mut others = Histogram::default();
        for endpoint in &self.record.window.as_ref()?.endpoints {
            if endpoint.label() != counts.label() {
                others.add(&endpoint.histogram);
            }
        }
        let cycle = typical_cycle_us(&counts.histogram, &others, think_s)?;
        Some((corrected(&counts.histogram, cycle), cycle))
    }

    /// The point of the matrix without its repeat: `2 replicas, 4 workers, 200 users`.
    pub fn point(&self) -> String {
        let scenario = &self.record.scenario;
        let (replicas, workers) = (many(scenario.replicas, "replica"), many(scenario.workers, "worker"));
        format!("{replicas}, {workers}, {}", self.load())
    }

    /// The row by its point and its repeat, for sentences.
    pub fn name(&self) -> String {
        let scenario = &self.record.scenario;
        match (scenario.drift, scenario.repeat) {
            (true, _) => format!("{}, once more at the end", self.point()),
            (false, 1) => self.point(),
            (false, repeat) => format!("{}, repeat {repeat}", self.point()),
        }
    }

    /// `200 users`, or `50 requests/s (open)`.
    pub fn load(&self) -> String {
        let scenario = &self.record.scenario;
        match scenario.rate {
            Some(rate) => format!("{rate} requests/s (open)"),
            None => many(scenario.users, "user"),
        }
    }
}

/// A percentile in whole µs, as the histogram has it; `None` if it is infinite.
pub(super) fn finite_us(us: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bucket of a histogram")]
    us.is_finite().then_some(us as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::alone;
    use crate::record::tests::record;

    #[test]
    fn a_row_is_named_by_its_load_and_its_repeat() {
        let mut record = record(0, 1, 20, 100);
        assert_eq!(
            Row::of(&alone(std::slice::from_ref(&record))[0]).name(),
            "1 replica, 2 workers, 20 users"
        );
        record.scenario.repeat = 2;
        (record.scenario.mode, record.scenario.rate) = (Mode::Open, Some(12.5));
        let records = [record];
        let judged = alone(&records);
        let row = Row::of(&judged[0]);
        assert_eq!(row.name(), "1 replica, 2 workers, 12.5 requests/s (open), repeat 2");
        assert!(row.corrected().is_none(), "the open model omits nothing");
    }

    #[test]
    fn waits_that_were_measured_belong_to_the_cycle_as_those_of_the_settings_do() {
        let cycle = |think_s: f64, waited_s: Option<f64>| {
            let mut record = record(0, 1, 20, 800);
            record.stopping_rule.as_mut().unwrap().think_s = think_s;
            for interval in &mut record.intervals {
                interval.waited_s = waited_s.map(|each| each * interval.requests as f64);
            }
            let records = [record];
            Row::of(&alone(&records)[0]).corrected().unwrap().1
        };
        let without = cycle(0.0, None);
        assert_eq!(cycle(1.0, None), without + 1_000_000);
        assert_eq!(cycle(0.0, Some(1.0)), without + 1_000_000);
        assert_eq!(cycle(1.0, Some(0.5)), without + 1_000_000, "the longer one");
    }
}
