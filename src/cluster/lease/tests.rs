use http::Method;
use serde_json::json;
use tokio::time::advance;

use super::*;
use crate::cluster::{FakeApi, Fault};
use crate::wait::silent;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases/locust-load-test-matrix";
const POD: &str = "/api/v1/namespaces/default/pods/locust-load-test-matrix-abcde";

fn free() -> FakeApi {
    let api = FakeApi::default();
    api.put(PATH, json!({ "metadata": { "name": JOB } }));
    api
}

/// A Lease that `holder` renewed at this time by its own clock.
fn held_by(holder: &str, renewed: &str) -> FakeApi {
    let api = FakeApi::default();
    let spec = json!({ "holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed });
    api.put(PATH, json!({ "metadata": { "name": JOB }, "spec": spec }));
    api
}

fn holder(api: &FakeApi) -> String {
    api.object(PATH).unwrap()["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

async fn acquire(api: &FakeApi, holder: &str) -> (Result<Lease>, CancellationToken, Duration) {
    let lost = CancellationToken::new();
    let begun = Instant::now();
    let lease = Lease::acquire(&api.cluster(), holder, lost.clone(), &silent).await;
    (lease, lost, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_free_lease_is_taken_renewed_and_released() {
    let api = free();
    let (lease, lost, took) = acquire(&api, "a").await;
    let lease = lease.unwrap();
    assert!(took < Duration::from_secs(1));
    let first = api.object(PATH).unwrap();
    sleep(Duration::from_mins(5)).await;
    assert_ne!(
        api.object(PATH).unwrap()["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    assert!(!lost.is_cancelled() && lease.lost_because().is_none());
    assert_eq!(api.object(PATH).unwrap()["spec"]["leaseTransitions"], 1, "a renewal is no change of hands");
    lease.release().await.unwrap();
    assert_eq!(holder(&api), "");
    let (next, _, took) = acquire(&api, "b").await;
    assert!(next.is_ok() && took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn of_two_contenders_with_skewed_clocks_only_one_holds_the_lease() {
    // The clock of the holder is hours behind, or ahead: both times say nothing here.
    for renewed in ["2001-01-01T00:00:00.000000Z", "2101-01-01T00:00:00.000000Z"] {
        let api = held_by("other", renewed);
        let living = api.clone();
        let other = tokio::spawn(async move {
            for _ in 0..15 {
                sleep(Duration::from_secs(2)).await;
                let mut lease = living.object(PATH).unwrap();
                lease["spec"]["renewTime"] =
                    json!(format!("2001-01-01T00:00:00.{:06}Z", living.calls().len()));
                living.put(PATH, lease);
            }
        });
        let (refused, _, took) = acquire(&api, "a").await;
        let error = refused.unwrap_err();
        assert_eq!((error.code, took >= ACQUIRE_WITHIN), (ExitCode::Preflight, true));
        assert!(error.message.contains("other"), "{error}");
        other.await.unwrap();
        // It renews no more, and so it has expired 15 s later, not earlier.
        let (taken, _, took) = acquire(&api, "a").await;
        assert!(taken.is_ok());
        assert!((15..18).contains(&took.as_secs()), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_drivers_that_see_a_free_lease_do_not_both_get_it() {
    let api = free();
    let ((a, ..), (b, ..)) = tokio::join!(acquire(&api, "a"), acquire(&api, "b"));
    assert_eq!([a.is_ok(), b.is_ok()].iter().filter(|held| **held).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_pod_that_has_ended_is_taken_at_once() {
    for (pod, at_once) in [(None, true), (Some("Failed"), true), (Some("Running"), false)] {
        let api = held_by("locust-load-test-matrix-abcde", "2026-01-01T00:00:00.000000Z");
        if let Some(phase) = pod {
            api.put(POD, json!({ "metadata": {}, "status": { "phase": phase } }));
        }
        let (lease, _, took) = acquire(&api, "a").await;
        assert!(lease.is_ok());
        assert_eq!(took < Duration::from_secs(1), at_once, "{pod:?} {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_driver_outside_the_cluster_is_told() {
    // Its name is not looked for among the pods.
    let api = held_by("laptop-1-x", "2026-01-01T00:00:00.000000Z");
    let told = Mutex::new(Vec::new());
    let tell = |waited: Duration, seen: &str| told.lock().unwrap().push((waited.as_secs(), seen.to_owned()));
    let begun = Instant::now();
    let lease = Lease::acquire(&api.cluster(), "a", CancellationToken::new(), &tell).await;
    assert!(lease.is_ok() && begun.elapsed().as_secs() >= 15, "{:?}", begun.elapsed());
    let told = told.into_inner().unwrap();
    assert!(matches!(&told[..], [(10, seen)] if seen.contains("laptop-1-x")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_renew_stops_before_another_may_take_over() {
    for fault in [Fault::Silent, Fault::Refused(500)] {
        let api = free();
        let (lease, lost, _) = acquire(&api, "a").await;
        let lease = lease.unwrap();
        sleep(Duration::from_mins(1)).await;
        assert!(!lost.is_cancelled());
        api.fail(move |_, _, _| Some(fault));
        let begun = Instant::now();
        lost.cancelled().await;
        let took = begun.elapsed();
        assert!(took <= RENEW_WITHIN && took < DURATION, "{took:?}");
        let reason = lease.lost_because().unwrap();
        assert!(reason.starts_with("the Lease could not be renewed for 10 s"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn short_faults_and_conflicts_do_not_lose_the_lease() {
    let api = free();
    let (lease, lost, _) = acquire(&api, "a").await;
    let mut calls = 0;
    // Of three writes, one is done without an answer, and one comes upon a change by somebody else.
    api.fail(move |method, path, objects| {
        calls += usize::from(method == Method::PATCH);
        match calls % 3 {
            1 if method == Method::PATCH => Some(Fault::LostAnswer),
            2 if method == Method::PATCH => {
                let lease = objects.get_mut(path)?;
                lease["metadata"]["labels"] = json!({ "seen": calls.to_string() });
                lease["metadata"]["resourceVersion"] = format!("somebody-{calls}").into();
                None
            }
            _ => None,
        }
    });
    sleep(Duration::from_mins(5)).await;
    assert!(!lost.is_cancelled(), "{:?}", lease.unwrap().lost_because());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_another_driver_has_taken_is_lost_at_once_and_not_taken_back() {
    let api = free();
    let (lease, lost, _) = acquire(&api, "a").await;
    let lease = lease.unwrap();
    let spec = json!({ "holderIdentity": "b", "leaseDurationSeconds": 15 });
    api.put(PATH, json!({ "metadata": { "name": JOB }, "spec": spec }));
    advance(Duration::from_secs(3)).await;
    lost.cancelled().await;
    assert_eq!(lease.lost_because().unwrap(), "another driver has taken the Lease: b");
    sleep(Duration::from_mins(1)).await;
    assert!(!lease.is_still_ours().await.unwrap());
    lease.release().await.unwrap();
    assert_eq!(holder(&api), "b", "only the holder gives it back");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_took_meanwhile_is_ours_once_more() {
    let api = free();
    let (lease, lost, _) = acquire(&api, "a").await;
    api.fail(|_, _, _| Some(Fault::Silent));
    lost.cancelled().await;
    let lease = lease.unwrap();
    assert!(lease.is_still_ours().await.is_err(), "nobody knows");
    api.fail(|_, _, _| None);
    assert!(lease.is_still_ours().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_not_taken_for_another_driver() {
    let api = free();
    api.fail(|_, _, _| Some(Fault::Silent));
    let (refused, _, took) = acquire(&api, "a").await;
    let error = refused.unwrap_err();
    assert_eq!(error.code, ExitCode::Cluster);
    assert!(error.message.contains("does not answer") && took.as_secs() < 30, "{error} {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_taken_back_unless_another_driver_has_it() {
    let api = free();
    let (lease, lost, _) = acquire(&api, "a").await;
    let lease = lease.unwrap();
    api.fail(|_, _, _| Some(Fault::Silent));
    lost.cancelled().await;
    assert!(lease.may_still_act().await, "nobody can have taken it yet");
    sleep(ACTS_ON * 2).await;
    assert!(!lease.may_still_act().await, "the API server does not say whether somebody has it");
    let limit = Duration::from_mins(1);
    let error = lease.regain(limit, &silent).await.unwrap_err();
    assert_eq!(error.code, ExitCode::Cluster);
    assert!(error.message.contains("cannot be renewed after 60 s"), "{error}");

    api.fail(|_, _, _| None);
    assert!(lease.may_still_act().await);
    lease.regain(limit, &silent).await.unwrap();
    assert_eq!(lease.lost_because(), None);
    sleep(Duration::from_mins(5)).await;
    assert_eq!(lease.lost_because(), None, "it is renewed again");

    api.put(PATH, json!({ "metadata": {}, "spec": { "holderIdentity": "b" } }));
    assert!(lease.lost().await.contains("another driver has taken the Lease: b"));
    assert!(!lease.may_still_act().await, "at once: the other driver may run its load");
    let error = lease.regain(limit, &silent).await.unwrap_err();
    assert!(error.message.contains("another driver has taken the Lease: b"), "{error}");
}
