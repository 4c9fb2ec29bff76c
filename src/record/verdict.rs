//! The verdict of a scenario: one word, with its reasons.

use serde::{Deserialize, Serialize};

/// How a scenario is judged. Where several hold, the first is its judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Judgement {
    /// It could not be measured.
    Failed,
    /// Workers or replicas changed while it was measured.
    Void,
    /// Its pods cannot be placed in this cluster.
    Infeasible,
    /// The load generator was at its own limit.
    LoadgenLimited,
    /// It did not come to a steady state.
    Unstable,
    /// One replica got far more requests than the others.
    Imbalanced,
    /// Too few samples for a percentile that the objective needs.
    Undersampled,
    /// The figures are what they are called.
    Valid,
}

/// A judgement with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How the scenario is judged.
    pub judgement: Judgement,
    /// Why, one sentence each, those of the judgement first; empty for a valid one.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// A valid scenario.
    pub const fn valid() -> Self {
        Self { judgement: Judgement::Valid, reasons: Vec::new() }
    }

    /// Any other judgement, with its reason.
    pub fn of(judgement: Judgement, reason: impl Into<String>) -> Self {
        Self { judgement, reasons: vec![reason.into()] }
    }

    /// The verdict from everything that was found against a scenario.
    pub fn from_findings(mut findings: Vec<(Judgement, String)>) -> Self {
        findings.sort_by_key(|(judgement, _)| *judgement);
        let judgement = findings.first().map_or(Judgement::Valid, |(judgement, _)| *judgement);
        Self { judgement, reasons: findings.into_iter().map(|(_, reason)| reason).collect() }
    }

    /// The same verdict with one more thing found against the scenario.
    #[must_use]
    pub fn and(mut self, judgement: Judgement, reason: String) -> Self {
        if judgement < self.judgement {
            self.judgement = judgement;
            self.reasons.insert(0, reason);
        } else {
            self.reasons.push(reason);
        }
        self
    }
}

impl Judgement {
    /// The word in the CSV's `Status` column, where a valid row has always been `SUCCESS`.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Valid => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Void => "VOID",
            Self::Infeasible => "INFEASIBLE",
            Self::LoadgenLimited => "LOADGEN_LIMITED",
            Self::Unstable => "UNSTABLE",
            Self::Imbalanced => "IMBALANCED",
            Self::Undersampled => "UNDERSAMPLED",
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

    const ALL: [Judgement; 7] = [
        Judgement::Failed,
        Judgement::Void,
        Judgement::Infeasible,
        Judgement::LoadgenLimited,
        Judgement::Unstable,
        Judgement::Imbalanced,
        Judgement::Undersampled,
    ];

    #[test]
    fn the_words_are_the_same_everywhere() {
        for judgement in ALL {
            assert_eq!(serde_json::to_string(&judgement).unwrap(), format!("\"{}\"", judgement.status()));
        }
    }

    proptest! {
        #[test]
        fn the_first_in_order_is_the_judgement_and_no_reason_is_lost(
            found in prop::collection::vec((0_usize..7, "[a-z]{1,4}"), 0..8),
        ) {
            let findings: Vec<_> = found.iter().map(|(at, why)| (ALL[*at], why.clone())).collect();
            let first = found.iter().map(|(at, _)| *at).min();
            let one_by_one = findings.iter().cloned().fold(Verdict::valid(), |v, (j, why)| v.and(j, why));
            let verdict = Verdict::from_findings(findings);
            prop_assert_eq!(verdict.judgement, first.map_or(Judgement::Valid, |at| ALL[at]));
            prop_assert_eq!(verdict.reasons.len(), found.len());
            prop_assert_eq!(one_by_one.judgement, verdict.judgement);
            prop_assert_eq!(one_by_one.reasons.first().cloned().map(|_| ()), verdict.reasons.first().map(|_| ()));
        }
    }
}
