//! Whether a measured scenario's figures are what they are called: a pure function.

use crate::cluster::PodId;
use crate::load::{Exception, Worker};
use crate::measure::Window;
use crate::record::{Judgement, Verdict};

/// What a scenario has gathered by its end.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub window: &'a Window,
    pub primary: &'a str,
    pub exceptions: &'a [Exception],
    pub pods: (&'a [PodId], &'a [PodId]),
    pub workers: (&'a [Worker], &'a [Worker]),
}

/// Judges it; FAILED comes before VOID.
pub(super) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let failed = failed(evidence);
    let void = void(evidence);
    let judgement = match (failed.is_empty(), void.is_empty()) {
        (true, true) => return Verdict::valid(),
        (false, _) => Judgement::Failed,
        (true, false) => Judgement::Void,
    };
    Verdict { judgement, reasons: failed.into_iter().chain(void).collect() }
}

fn failed(evidence: &Evidence<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if evidence.window.aggregated.requests == 0 {
        reasons.push("no request finished in the window".to_owned());
    } else {
        match evidence.window.endpoint(evidence.primary) {
            None => reasons.push(format!("no request to {} finished in the window", evidence.primary)),
            Some(primary) if primary.requests == 0 => {
                reasons.push(format!("no request to {} finished in the window", evidence.primary));
            }
            Some(primary) if primary.failures == primary.requests => {
                reasons.push(format!("every request to {} failed", evidence.primary));
            }
            Some(_) => {}
        }
    }
    if let Some(exception) = evidence.exceptions.first() {
        reasons.push(format!("the test script raised {} times: {}", exception.count, exception.message));
    }
    reasons
}

fn void(evidence: &Evidence<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if evidence.pods.0 != evidence.pods.1 {
        let now =
            |id: &PodId| evidence.pods.1.iter().find(|other| other.uid == id.uid).map(|other| other.restarts);
        let words = evidence.pods.0.iter().filter_map(|id| match now(id) {
            None => Some(format!("{} is gone", id.name)),
            Some(restarts) if restarts != id.restarts => Some(format!("{} was restarted", id.name)),
            Some(_) => None,
        });
        let words = words.collect::<Vec<_>>().join(", ");
        let words = if words.is_empty() { "others came".to_owned() } else { words };
        reasons.push(format!("the replicas changed while it was measured: {words}"));
    }
    let ids = |workers: &[Worker]| {
        let mut ids: Vec<_> = workers.iter().map(|worker| worker.id.clone()).collect();
        ids.sort();
        ids
    };
    if ids(evidence.workers.0) != ids(evidence.workers.1) {
        reasons.push("the Locust workers changed while it was measured".to_owned());
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Endpoint;

    fn window(requests: u64, failures: u64) -> Window {
        let endpoint = Endpoint {
            method: "POST".into(),
            name: "/predict".into(),
            requests,
            failures,
            ..Endpoint::default()
        };
        let aggregated = Endpoint { method: String::new(), name: "Aggregated".into(), ..endpoint.clone() };
        Window { seconds: 20.0, cut_spread_ms: 0.0, aggregated, endpoints: vec![endpoint] }
    }

    fn pod(uid: &str, restarts: i32) -> PodId {
        PodId { name: format!("inference-{uid}"), uid: uid.into(), ip: None, restarts }
    }

    fn judged(window: &Window, primary: &str, before: &[PodId], after: &[PodId]) -> Verdict {
        judge(&Evidence { window, primary, exceptions: &[], pods: (before, after), workers: (&[], &[]) })
    }

    #[test]
    fn a_measured_scenario_is_valid() {
        assert_eq!(
            judged(&window(100, 5), "POST /predict", &[pod("a", 0)], &[pod("a", 0)]),
            Verdict::valid()
        );
    }

    #[test]
    fn what_measured_nothing_has_failed() {
        for (window, primary) in
            [(window(0, 0), "POST /predict"), (window(9, 9), "POST /predict"), (window(9, 0), "POST /other")]
        {
            assert_eq!(judged(&window, primary, &[], &[]).judgement, Judgement::Failed);
        }
    }

    #[test]
    fn replicas_that_changed_make_it_void() {
        let verdict = judged(&window(9, 0), "POST /predict", &[pod("a", 0)], &[pod("a", 1)]);
        assert_eq!(verdict.judgement, Judgement::Void);
        assert!(verdict.reasons[0].contains("inference-a was restarted"));
        let verdict = judged(&window(9, 0), "POST /predict", &[pod("a", 0)], &[pod("b", 0)]);
        assert!(verdict.reasons[0].contains("inference-a is gone"));
    }
}
