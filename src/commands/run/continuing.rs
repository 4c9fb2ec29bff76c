//! Goes on with a run whose Lease was lost, if nobody else has taken it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cluster::Lease;
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};

/// Does `work` with a token that is cancelled when the Lease is lost; `lost` is the first one. If the work has
/// ended because the API server did not answer, this takes the Lease back as soon as it answers, and does the
/// work again: it continues after the scenarios that are recorded.
///
/// # Errors
/// Those of `work`; exit code 130 if a signal comes while the API server is waited for.
pub(super) async fn continue_while_ours(
    lease: &mut Lease,
    mut lost: CancellationToken,
    (within, interrupted): (Duration, &CancellationToken),
    events: &Events,
    mut work: impl AsyncFnMut(CancellationToken) -> Result<()>,
) -> Result<()> {
    loop {
        let ended = work(lost.clone()).await;
        let is_lost = matches!(&ended, Err(error) if error.code == ExitCode::Cluster);
        let Some(reason) = lease.lost_because().filter(|_| is_lost) else { return ended };
        events
            .tell(Progress::note(format!("{reason}; the load is stopped, and the API server is waited for")));
        lost = CancellationToken::new();
        let regained = tokio::select! {
            regained = lease.regain(within, lost.clone()) => regained,
            () = interrupted.cancelled() => Err(Error::interrupted("interrupted; everything recorded is kept")),
        };
        match regained {
            Ok(()) => events.tell(Progress::note("the Lease is held again; the run continues")),
            Err(error) if error.code == ExitCode::Interrupted => return Err(error),
            Err(_) => return ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{FakeApi, Fault};
    use serde_json::json;

    const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases/locust-load-test-matrix";
    const WITHIN: Duration = Duration::from_secs(90);

    async fn held() -> (FakeApi, Lease, CancellationToken) {
        let api = FakeApi::default();
        api.put(LEASE, json!({ "metadata": {} }));
        let lost = CancellationToken::new();
        let lease = Lease::acquire(&api.cluster(), "a", lost.clone()).await.unwrap();
        (api, lease, lost)
    }

    /// Works until the Lease is lost, as often as it is begun; returns how often, and how it ended.
    async fn worked(
        lease: &mut Lease,
        lost: CancellationToken,
        interrupted: &CancellationToken,
        rounds: usize,
    ) -> (usize, Result<()>) {
        let events = Events::to(|_| {});
        let mut begun = 0;
        let ended = continue_while_ours(lease, lost, (WITHIN, interrupted), &events, async |lost| {
            begun += 1;
            if begun == rounds {
                return Ok(());
            }
            lost.cancelled().await;
            Err(Error::cluster("superseded"))
        });
        let ended = ended.await;
        (begun, ended)
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_goes_on_after_an_api_server_that_was_away_for_a_minute() {
        let (api, mut lease, lost) = held().await;
        api.fail(|_, _, _| Some(Fault::Silent));
        let back = api.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_mins(1)).await;
            back.fail(|_, _, _| None);
        });
        assert_eq!(worked(&mut lease, lost, &CancellationToken::new(), 2).await, (2, Ok(())));
        assert!(lease.lost_because().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_ends_if_the_api_server_stays_away_or_another_driver_came_or_a_signal_comes() {
        let (api, mut lease, lost) = held().await;
        api.fail(|_, _, _| Some(Fault::Silent));
        let (begun, ended) = worked(&mut lease, lost, &CancellationToken::new(), 2).await;
        assert_eq!((begun, ended.unwrap_err().code), (1, ExitCode::Cluster));

        let (api, mut lease, lost) = held().await;
        api.put(LEASE, json!({ "metadata": {}, "spec": { "holderIdentity": "b" } }));
        let (begun, ended) = worked(&mut lease, lost, &CancellationToken::new(), 2).await;
        assert_eq!((begun, ended.unwrap_err().code), (1, ExitCode::Cluster));

        let (api, mut lease, lost) = held().await;
        api.fail(|_, _, _| Some(Fault::Silent));
        let interrupted = CancellationToken::new();
        interrupted.cancel();
        let (begun, ended) = worked(&mut lease, lost, &interrupted, 2).await;
        assert_eq!((begun, ended.unwrap_err().code), (1, ExitCode::Interrupted));
    }
}
