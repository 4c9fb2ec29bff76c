//! What a record can do without if the cluster has no room for it. Verdicts and the figures of the primary
//! endpoint do not change, up to the last step, which leaves no figures and says so.

use records::{Endpoint, LeftOut, Record, Unmeasured, UnmeasuredKind, Window};

/// The steps of thinning, each of which includes those before it.
pub(super) const STEPS: [LeftOut; 3] =
    [LeftOut::Samples, LeftOut::WholeRunHistograms, LeftOut::OtherHistograms];

/// The record without what the first `steps` of [`STEPS`] leave out. It says what was left out.
pub(super) fn thinned(record: &Record, steps: usize) -> Record {
    let mut thin = record.clone();
    for step in STEPS.into_iter().take(steps) {
        let had_some = match step {
            LeftOut::Samples => !std::mem::take(&mut thin.samples).is_empty(),
            LeftOut::WholeRunHistograms => thin.whole_run.as_mut().is_some_and(|window| clear(window, None)),
            LeftOut::OtherHistograms => {
                let primary = &thin.environment.primary;
                thin.window.as_mut().is_some_and(|window| clear(window, Some(primary)))
            }
            LeftOut::Figures => false,
        };
        if had_some && !thin.left_out.contains(&step) {
            thin.left_out.push(step);
        }
    }
    thin
}

/// The record without any figures. Its scenario counts as recorded, so that it is not measured again, and as
/// failed, so that nobody takes the missing figures for a result.
pub(super) fn bare(record: &Record, kept_in: &str) -> Record {
    let reason = format!("its record does not fit into the cluster's ConfigMaps; {kept_in}");
    Record {
        window: None,
        whole_run: None,
        intervals: Vec::new(),
        open: None,
        membership: None,
        disturbed: None,
        exceptions: Vec::new(),
        unmeasured: Some(Unmeasured::new(UnmeasuredKind::Broken, reason)),
        samples: Vec::new(),
        replicas: Vec::new(),
        workers: Vec::new(),
        errors: Vec::new(),
        resets: 0,
        left_out: vec![LeftOut::Figures],
        ..record.clone()
    }
}

/// Empties the histograms of a window, except those of all endpoints together and of the primary one if it is
/// given. Returns whether there were any.
fn clear(window: &mut Window, primary: Option<&String>) -> bool {
    let Window { aggregated, endpoints, .. } = window;
    let all = primary.is_none().then_some(aggregated);
    let others = endpoints.iter_mut().filter(|endpoint| primary != Some(&endpoint.label()));
    let mut had_some = false;
    for Endpoint { histogram, succeeded, from_send, .. } in all.into_iter().chain(others) {
        for histogram in [Some(histogram), Some(succeeded), from_send.as_mut()].into_iter().flatten() {
            had_some |= !std::mem::take(histogram).is_empty();
        }
    }
    had_some
}
