//! What must be done on every way out of a run, whatever has failed before.

use super::restore::{restore, resume};
use crate::cluster::{Cluster, Lease, Workload};
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::objects::JOB;
use crate::record::OriginalReplicas;

/// Puts the replicas back, and with `pauses` the autoscalers, and then releases the Lease. The load has been stopped before. Ends with the first
/// error, and tells the others, because each of them may need a hand.
///
/// # Errors
/// The error of `measured`, or else that of the first step that failed.
pub(super) async fn end(
    cluster: &Cluster,
    lease: Lease,
    inference: &Workload,
    pauses: bool,
    original: Option<OriginalReplicas>,
    measured: Result<ExitCode>,
    events: &Events,
) -> Result<ExitCode> {
    let measured = measured.map_err(|error| explain_loss(&lease, error));
    let may_restore = (original.is_some() || pauses) && may_restore(&lease, events).await;
    let restored = match original {
        Some(original) if may_restore => restore(cluster, inference, original, events).await,
        _ => Ok(()),
    };
    // After the replicas: an autoscaler takes them on from where they were.
    let resumed = if pauses && may_restore { resume(cluster, inference, events).await } else { Ok(()) };
    let released = lease.release().await;
    let done = [restored, resumed, released].map(|done| done.map(|()| None));
    first_error(std::iter::once(measured.map(Some)).chain(done), events)
        .map(|code| code.unwrap_or(ExitCode::Success))
}

/// Whether this driver may put the replicas back. If another driver holds the Lease, that one does it. If the API
/// server does not answer, this one tries.
async fn may_restore(lease: &Lease, events: &Events) -> bool {
    if lease.lost_because().is_none() {
        return true;
    }
    let is_ours = lease.is_still_ours().await.unwrap_or(true);
    if !is_ours {
        events.tell(Progress::note("the replicas are left to the driver that has the Lease now"));
    }
    is_ours
}

/// The error of a run that has ended because its Lease was lost, with the reason.
fn explain_loss(lease: &Lease, error: Error) -> Error {
    match lease.lost_because() {
        Some(reason) if error.code == ExitCode::Cluster => Error::cluster(format!(
            "{reason}; the load is stopped"
        ))
        .next(format!("see which driver runs: kubectl get lease {JOB} -o yaml; then continue with --resume")),
        _ => error,
    }
}

/// The first result, or the first error; the other errors are told.
pub(super) fn first_error<T>(results: impl IntoIterator<Item = Result<T>>, events: &Events) -> Result<T> {
    let mut first = None;
    for result in results {
        match (&first, result) {
            (None, result) => first = Some(result),
            (Some(Ok(_)), Err(error)) => first = Some(Err(error)),
            (Some(Err(_)), Err(error)) => events.tell(Progress::RestoreFailed { error: error.to_string() }),
            (Some(_), Ok(_)) => {}
        }
    }
    first.unwrap_or_else(|| Err(Error::new(ExitCode::Bug, "nothing was done")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{FakeApi, Fault, pause_autoscalers};
    use crate::wait::silent;
    use http::Method;
    use serde_json::json;
    use std::sync::{Arc, Mutex};
    use tokio_util::sync::CancellationToken;

    const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases/locust-load-test-matrix";
    const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
    const ORIGINAL: OriginalReplicas = OriginalReplicas { inference: 3, workers: 2 };

    struct World {
        api: FakeApi,
        lost: CancellationToken,
        lease: Lease,
        events: Events,
        told: Arc<Mutex<Vec<String>>>,
    }

    async fn world() -> World {
        let api = FakeApi::default();
        api.put(LEASE, json!({ "metadata": {} }));
        for name in ["shop", "locust-worker"] {
            let scale = json!({ "metadata": { "name": name }, "spec": { "replicas": 9 } });
            api.put(&format!("{DEPLOYMENTS}/{name}/scale"), scale);
        }
        let lost = CancellationToken::new();
        let lease = Lease::acquire(&api.cluster(), "a", lost.clone(), &silent).await.unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let events = Events::to(move |event| sink.lock().unwrap().push(event.to_string()));
        World { api, lost, lease, events, told }
    }

    /// Ends a run of `shop` that has paused no autoscaler.
    async fn end_of(
        api: &FakeApi,
        lease: Lease,
        measured: Result<ExitCode>,
        events: &Events,
    ) -> Result<ExitCode> {
        let service = Workload::for_tests("shop");
        end(&api.cluster(), lease, &service, false, Some(ORIGINAL), measured, events).await
    }

    fn replicas(api: &FakeApi) -> [i64; 2] {
        ["shop", "locust-worker"].map(|name| {
            let scale = api.object(&format!("{DEPLOYMENTS}/{name}/scale")).unwrap();
            scale["spec"]["replicas"].as_i64().unwrap()
        })
    }

    fn holder(api: &FakeApi) -> String {
        api.object(LEASE).unwrap()["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_has_failed_the_replicas_are_put_back_and_then_the_lease_is_released() {
        for measured in [
            Ok(ExitCode::Success),
            Ok(ExitCode::Scenario),
            Err(Error::preflight("results.csv cannot be written: disk full")),
            Err(Error::interrupted("interrupted")),
        ] {
            let World { api, lease, events, .. } = world().await;
            let ended = end_of(&api, lease, measured.clone(), &events).await;
            assert_eq!(ended, measured);
            assert_eq!((replicas(&api), holder(&api)), ([3, 2], String::new()));
            let writes: Vec<_> = api.calls().into_iter().filter(|call| call.starts_with("PATCH")).collect();
            let lease_comes_last = writes.last().unwrap().ends_with("/leases/locust-load-test-matrix");
            assert!(lease_comes_last && writes.len() == 4, "{writes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_autoscaler_is_put_back_on_every_way_out_and_after_the_replicas() {
        const HPA: &str = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/scale-shop";
        for measured in [Ok(ExitCode::Success), Err(Error::interrupted("interrupted"))] {
            let World { api, lease, events, told, .. } = world().await;
            let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop" });
            let spec = json!({ "minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": target });
            api.put(HPA, json!({ "metadata": { "name": "scale-shop" }, "spec": spec }));
            let (cluster, shop) = (api.cluster(), Workload::for_tests("shop"));
            pause_autoscalers(&cluster, &shop, 9).await.unwrap();
            assert_eq!(api.object(HPA).unwrap()["spec"]["maxReplicas"], 9);
            let ended = end(&cluster, lease, &shop, true, Some(ORIGINAL), measured.clone(), &events).await;
            assert_eq!(ended, measured);
            assert_eq!(api.object(HPA).unwrap()["spec"], spec);
            let calls = api.calls();
            let last =
                |end: &str| calls.iter().rposition(|call| call.starts_with("PATCH") && call.ends_with(end));
            assert!(
                last("shop/scale") < last("scale-shop") && last("scale-shop") < last("matrix"),
                "{calls:?}"
            );
            let told = told.lock().unwrap().join("\n");
            assert!(
                told.contains("HorizontalPodAutoscaler scale-shop scales deployment shop again"),
                "{told}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_error_is_told_and_none_hides_another() {
        let World { api, lease, events, told, .. } = world().await;
        api.fail(|method, path, _| {
            let refused = path.ends_with("shop/scale") || path == LEASE;
            (*method == Method::PATCH && refused).then_some(Fault::Refused(500))
        });
        let disk = Error::preflight("results.csv cannot be written: disk full");
        let ended = end_of(&api, lease, Err(disk.clone()), &events).await;
        assert_eq!(ended, Err(disk));
        assert_eq!(replicas(&api), [9, 2], "the other Deployment is put back all the same");
        let told = told.lock().unwrap().join("\n");
        assert!(told.contains("shop had 3 replicas") && told.contains("lease default/"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_that_another_one_has_followed_leaves_replicas_and_lease_to_it() {
        let World { api, lost, lease, events, told } = world().await;
        api.put(LEASE, json!({ "metadata": {}, "spec": { "holderIdentity": "b" } }));
        lost.cancelled().await;
        let superseded = Err(Error::cluster("superseded"));
        let ended = end_of(&api, lease, superseded, &events).await;
        assert!(ended.unwrap_err().message.starts_with("another driver has taken the Lease: b"));
        assert_eq!((replicas(&api), holder(&api).as_str()), ([9, 9], "b"));
        assert_eq!(told.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_that_could_not_renew_puts_the_replicas_back_if_nobody_has_followed() {
        let World { api, lost, lease, events, .. } = world().await;
        api.fail(|_, _, _| Some(Fault::Silent));
        lost.cancelled().await;
        api.fail(|_, _, _| None);
        let superseded = Err(Error::cluster("superseded"));
        let ended = end_of(&api, lease, superseded, &events).await;
        assert!(ended.unwrap_err().message.contains("could not be renewed for 10 s"));
        assert_eq!((replicas(&api), holder(&api)), ([3, 2], String::new()));
    }
}
