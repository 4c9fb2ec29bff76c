//! The verdict of a scenario: one word, with its reasons.

use serde::Serialize;

use super::cause::Cause;

/// What a scenario's figures are worth. If several verdicts hold, the first in this order is its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// It could not be measured.
    Failed,
    /// Workers or replicas changed while it was measured.
    Void,
    /// Its pods cannot be placed in this cluster.
    Infeasible,
    /// The load generator was at its own limit.
    LoadgenLimited,
    /// More requests to the primary endpoint failed than the objective allows.
    Errors,
    /// The service did not keep up with the rate of the open model.
    Overloaded,
    /// It did not come to a steady state.
    Unstable,
    /// One replica got far more requests than the others.
    Imbalanced,
    /// Too few samples for a percentile that the objective needs.
    Undersampled,
    /// The figures are what they are called.
    Valid,
}

/// A verdict with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, one sentence each, those of the verdict first; empty for a valid row.
    pub reasons: Vec<String>,
    /// The kind of each reason.
    pub causes: Vec<Cause>,
}

/// One finding against a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The verdict that it leads to.
    pub verdict: Verdict,
    /// Its kind.
    pub cause: Cause,
    /// The finding as a sentence.
    pub reason: String,
}

impl Judgement {
    /// A valid scenario.
    pub const fn valid() -> Self {
        Self { verdict: Verdict::Valid, reasons: Vec::new(), causes: Vec::new() }
    }

    /// Any other verdict, with its reason.
    pub fn of(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reasons: vec![reason.into()], causes: vec![verdict.cause()] }
    }

    /// The judgement from all findings against a scenario.
    pub(super) fn from_findings(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.verdict);
        let verdict = findings.first().map_or(Verdict::Valid, |finding| finding.verdict);
        let (causes, reasons) = findings.into_iter().map(|finding| (finding.cause, finding.reason)).unzip();
        Self { verdict, reasons, causes }
    }

    /// `ERRORS: 5.00 % of requests failed`
    pub fn in_words(&self) -> String {
        match self.reasons.as_slice() {
            [] => self.verdict.status().to_owned(),
            reasons => format!("{}: {}", self.verdict.status(), reasons.join("; ")),
        }
    }

    /// What the user can do about the first reason of the verdict; `None` for a valid scenario.
    pub fn next_step(&self) -> Option<&'static str> {
        self.causes.first().map(|cause| cause.next_step())
    }

    /// The same judgement with one more finding against the scenario.
    #[must_use]
    pub fn and(mut self, verdict: Verdict, reason: String) -> Self {
        if verdict < self.verdict {
            self.verdict = verdict;
            self.reasons.insert(0, reason);
            self.causes.insert(0, verdict.cause());
        } else {
            self.reasons.push(reason);
            self.causes.push(verdict.cause());
        }
        self
    }
}

impl Verdict {
    /// Every verdict, in order.
    pub const ALL: [Self; 10] = [
        Self::Failed,
        Self::Void,
        Self::Infeasible,
        Self::LoadgenLimited,
        Self::Errors,
        Self::Overloaded,
        Self::Unstable,
        Self::Imbalanced,
        Self::Undersampled,
        Self::Valid,
    ];

    /// The word in the CSV's `Status` column, where a valid row has always been `SUCCESS`.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Valid => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Void => "VOID",
            Self::Infeasible => "INFEASIBLE",
            Self::LoadgenLimited => "LOADGEN_LIMITED",
            Self::Errors => "ERRORS",
            Self::Overloaded => "OVERLOADED",
            Self::Unstable => "UNSTABLE",
            Self::Imbalanced => "IMBALANCED",
            Self::Undersampled => "UNDERSAMPLED",
        }
    }

    /// The most general cause of this verdict.
    pub(super) const fn cause(self) -> Cause {
        match self {
            Self::Failed | Self::Valid => Cause::Broken,
            Self::Void => Cause::Disturbed,
            Self::Infeasible => Cause::NoPlace,
            Self::LoadgenLimited => Cause::LoadGenerator,
            Self::Errors => Cause::Errors,
            Self::Overloaded => Cause::Overloaded,
            Self::Unstable => Cause::Changing,
            Self::Imbalanced => Cause::Imbalanced,
            Self::Undersampled => Cause::TooFewSamples,
        }
    }

    /// Whether there are no figures at all, which ends a run with exit code 5.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Void | Self::Infeasible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Verdict; 10] = Verdict::ALL;

    #[test]
    fn the_words_are_the_same_everywhere() {
        for verdict in ALL.into_iter().filter(|verdict| *verdict != Verdict::Valid) {
            assert_eq!(serde_json::to_string(&verdict).unwrap(), format!("\"{}\"", verdict.status()));
        }
    }

    #[test]
    fn the_first_three_have_no_figures() {
        let failures: Vec<_> = ALL.into_iter().filter(|verdict| verdict.is_failure()).collect();
        assert_eq!(failures, [Verdict::Failed, Verdict::Void, Verdict::Infeasible]);
    }

    proptest! {
        #[test]
        fn the_first_in_order_is_the_verdict_and_no_reason_is_lost(
            found in prop::collection::vec((0_usize..9, "[a-z]{1,4}"), 0..8),
        ) {
            let finding = |(at, why): &(usize, String)| Finding {
                verdict: ALL[*at],
                cause: ALL[*at].cause(),
                reason: why.clone(),
            };
            let findings: Vec<_> = found.iter().map(finding).collect();
            let first = found.iter().map(|(at, _)| *at).min();
            let one_by_one =
                findings.iter().cloned().fold(Judgement::valid(), |v, one| v.and(one.verdict, one.reason));
            let judgement = Judgement::from_findings(findings);
            prop_assert_eq!(judgement.verdict, first.map_or(Verdict::Valid, |at| ALL[at]));
            prop_assert_eq!(judgement.reasons.len(), found.len());
            prop_assert_eq!(judgement.causes.first().copied(), first.map(|at| ALL[at].cause()));
            prop_assert_eq!(one_by_one.causes.len(), found.len());
            prop_assert_eq!(one_by_one.verdict, judgement.verdict);
            prop_assert_eq!(one_by_one.reasons.first().cloned().map(|_| ()), judgement.reasons.first().map(|_| ()));
        }
    }
}
