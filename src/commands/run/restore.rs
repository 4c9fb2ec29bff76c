//! Puts the replicas back as they were before the run.

use std::time::Duration;

use tokio::time::timeout;

use crate::cluster::{Cluster, Workload, resume_autoscalers, scale};
use crate::events::{DeploymentReplicas, Events, Progress};
use crate::exit::{Error, Result};
use crate::objects::WORKERS;
use crate::record::{ConfigMapStore, OriginalReplicas};

/// How long the API server may take.
const RESTORED_WITHIN: Duration = Duration::from_secs(20);

/// The replicas that an earlier driver of this run found before it scaled, and has not put back.
pub(super) async fn left_by_an_earlier_driver(
    cluster: &Cluster,
    run_id: Option<&str>,
    inference: &Workload,
) -> Option<OriginalReplicas> {
    let run_id = run_id?;
    let stored = timeout(RESTORED_WITHIN, ConfigMapStore::read(cluster, Some(run_id))).await.ok()?.ok()?;
    let state = stored.state.filter(|state| state.run_id == run_id)?;
    (state.restores == Some(inference.id())).then_some(state.original)
}

/// Scales the service and the workers back to their original replicas.
///
/// # Errors
/// The API server refuses or does not answer; the message names the replicas to restore by hand.
pub(super) async fn restore(
    cluster: &Cluster,
    inference: &Workload,
    original: OriginalReplicas,
    events: &Events,
) -> Result<()> {
    let OriginalReplicas { inference: replicas, workers } = original;
    let within = async |scaled| timeout(RESTORED_WITHIN, scaled).await.unwrap_or_else(|_| silent());
    // Both are tried, whether the other one succeeds or not.
    let loaders = Workload::unread_deployment(WORKERS);
    let (of_service, of_workers) =
        tokio::join!(within(scale(cluster, inference, replicas)), within(scale(cluster, &loaders, workers)));
    let errors: Vec<_> = [of_service, of_workers].into_iter().filter_map(Result::err).collect();
    if let Some(first) = errors.first() {
        let problems: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        let found = format!("{} had {replicas} replicas, {WORKERS} {workers}", inference.name);
        let by_hand = format!(
            "scale them back by hand: kubectl scale {} --replicas={replicas}; kubectl scale deployment/{WORKERS} \
             --replicas={workers}",
            inference.describe().replace(' ', "/")
        );
        return Err(Error::new(first.code, format!("{}; {found}", problems.join("; "))).next(by_hand));
    }
    let deployments = vec![
        DeploymentReplicas::new(inference.name.as_str(), replicas),
        DeploymentReplicas::new(WORKERS, workers),
    ];
    events.tell(Progress::ReplicasRestored { deployments });
    let id = inference.id();
    let noted = timeout(RESTORED_WITHIN, ConfigMapStore::replicas_are_restored(cluster, &id));
    if let Err(error) = noted.await.unwrap_or_else(|_| silent()) {
        events.tell(Progress::note(format!(
            "that the replicas are put back could not be noted: {}",
            error.message
        )));
    }
    Ok(())
}

/// Puts back the autoscalers that this run or one that was killed has paused.
///
/// # Errors
/// The API server refuses or does not answer; the message says what to do by hand.
pub(super) async fn resume(cluster: &Cluster, inference: &Workload, events: &Events) -> Result<()> {
    let resumed = timeout(RESTORED_WITHIN, resume_autoscalers(cluster, inference)).await;
    let resumed = resumed.unwrap_or_else(|_| silent().map(|()| Vec::new()))?;
    for name in resumed {
        events.tell(Progress::note(format!("{name} scales {} again", inference.describe())));
    }
    Ok(())
}

fn silent() -> Result<()> {
    Err(Error::cluster("the API server does not answer"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::{Request, Response, StatusCode};
    use kube::Client;
    use kube::client::Body;
    use serde_json::json;
    use tower::service_fn;

    use super::*;
    use crate::cluster::FakeApi;
    use crate::exit::ExitCode;
    use crate::record::tests::record;
    use crate::record::{RunState, SHARDS, Writer};

    const ORIGINAL: OriginalReplicas = OriginalReplicas { inference: 3, workers: 2 };

    /// A cluster that notes every scale request and answers with `status`.
    fn cluster(status: StatusCode) -> (Cluster, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let service = service_fn(move |request: Request<Body>| {
            let seen = seen.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = String::from_utf8(body.collect_bytes().await.unwrap().to_vec()).unwrap();
                seen.lock().unwrap().push(format!("{} {body}", parts.uri.path()));
                let answer = if status.is_success() {
                    r#"{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{},"spec":{}}"#
                } else {
                    r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"no","code":403}"#
                };
                let answer = Response::builder().status(status).body(Body::from(answer.as_bytes().to_vec()));
                Ok::<_, std::convert::Infallible>(answer.unwrap())
            }
        });
        let client = Client::new(service, "default");
        (Cluster { client, namespace: "default".into(), server: "test".into() }, asked)
    }

    /// The replicas may have been changed for a good reason since an earlier driver has put them back.
    #[tokio::test]
    async fn only_replicas_that_an_earlier_driver_of_the_same_run_has_not_put_back_are_found() {
        let api = FakeApi::default();
        for number in 0..SHARDS {
            let name = format!("locust-load-test-results-{number}");
            let path = format!("/api/v1/namespaces/default/configmaps/{name}");
            api.put(&path, json!({ "metadata": { "name": name } }));
        }
        let (cluster, shop) = (api.cluster(), Workload::for_tests("shop"));
        let state = RunState {
            run_id: "run".into(),
            plan_hash: "hash".into(),
            original: ORIGINAL,
            restores: Some(shop.id()),
            began: None,
        };
        let writer = Writer { holder: "a".into(), is_pod: false, events: Events::to(|_| {}) };
        let empty = ConfigMapStore::read_to_write(&cluster, "run", 1).await.unwrap();
        ConfigMapStore::begin(&cluster, writer, empty, &state, &[record(0, 1, 20, 80)]).await.unwrap();
        let left =
            async |run_id, service: &Workload| left_by_an_earlier_driver(&cluster, run_id, service).await;
        let other = Workload::for_tests("other");
        assert_eq!(left(Some("run"), &shop).await, Some(ORIGINAL));
        assert_eq!(left(Some("run"), &other).await, None);
        assert_eq!(left(Some("another"), &shop).await, None);
        assert_eq!(left(None, &shop).await, None);
        ConfigMapStore::replicas_are_restored(&cluster, &shop.id()).await.unwrap();
        assert_eq!(left(Some("run"), &shop).await, None);
    }

    #[tokio::test]
    async fn both_deployments_are_scaled_to_what_they_had() {
        let (cluster, asked) = cluster(StatusCode::OK);
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let events = Events::to(move |event| sink.lock().unwrap().push(event.to_string()));
        restore(&cluster, &Workload::for_tests("shop"), ORIGINAL, &events).await.unwrap();
        let mut asked: Vec<_> =
            asked.lock().unwrap().iter().filter(|call| call.contains("/scale")).cloned().collect();
        asked.sort();
        assert!(
            asked[0].contains("/deployments/locust-worker/scale") && asked[0].contains(r#""replicas":2"#)
        );
        assert!(asked[1].contains("/deployments/shop/scale") && asked[1].contains(r#""replicas":3"#));
        assert_eq!(told.lock().unwrap()[0], "replicas as found: shop 3, locust-worker 2");
    }

    #[tokio::test]
    async fn a_refusal_names_the_replicas_to_restore_by_hand() {
        let (cluster, _) = cluster(StatusCode::FORBIDDEN);
        let error =
            restore(&cluster, &Workload::for_tests("shop"), ORIGINAL, &Events::to(|_| {})).await.unwrap_err();
        assert_eq!(error.code, ExitCode::Preflight);
        assert!(error.message.ends_with("; shop had 3 replicas, locust-worker 2"), "{error}");
    }
}
