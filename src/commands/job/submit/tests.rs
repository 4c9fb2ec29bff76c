use std::sync::{Arc, Mutex};

use super::*;
use crate::cluster::{FakeApi, Fault};

const JOB_PATH: &str = "/apis/batch/v1/namespaces/default/jobs/locust-load-test-matrix";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn driver(json_events: bool) -> Driver<'static> {
    Driver {
        image: "locust-driver:1",
        cluster_kind: "kind",
        json_events,
        stops_within: Duration::from_secs(77),
    }
}

fn settings(users: u32) -> Settings {
    Settings::parse(&format!("{{users: [{users}]}}")).unwrap()
}

fn job_with(condition: &str) -> Value {
    let conditions = json!([{ "type": condition, "status": "True" }]);
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": JOB }, "status": { "conditions": conditions },
    })
}

/// The name of the ConfigMap that the Job in the cluster mounts.
fn mounted(api: &FakeApi) -> String {
    let job = api.object(JOB_PATH).unwrap();
    let volumes = job["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let map = volumes.iter().find_map(|volume| volume["configMap"]["name"].as_str());
    map.unwrap().to_owned()
}

async fn submit_quietly(api: &FakeApi, users: u32) -> Result<SubmittedJob> {
    submit(&api.cluster(), &settings(users), &driver(false), &Events::to(|_| {})).await
}

#[test]
fn the_driver_prints_json_only_if_the_user_asks_for_it() {
    for json_events in [false, true] {
        let job = manifest(&driver(json_events), &JobSettings::default(), "map").unwrap();
        let pod = job.spec.unwrap().template.spec.unwrap();
        let value = |name: &str| {
            let variable = pod.containers[0].env.iter().flatten().find(|variable| variable.name == name)?;
            variable.value.clone()
        };
        assert_eq!(value("LOCUST_MATRIX_CLUSTER_KIND").as_deref(), Some("kind"));
        assert_eq!(value(JSON_EVENTS_VARIABLE).as_deref(), json_events.then_some("true"));
        assert_eq!(pod.termination_grace_period_seconds, Some(77));
    }
}

#[tokio::test]
async fn of_two_submissions_at_once_one_wins_with_its_own_settings() {
    let api = FakeApi::default();
    // The objects of the manifests are there, and neither submission may touch them.
    api.put(&format!("{MAPS}/{JOB_SETTINGS}"), json!({ "data": { "config.yaml": "{preset: full}" } }));
    let before = api.object(&format!("{MAPS}/{JOB_SETTINGS}"));
    let (four, six) = tokio::join!(submit_quietly(&api, 4), submit_quietly(&api, 6));
    // Both looked for a Job before either had created one.
    let creations =
        api.calls().iter().filter(|call| call.starts_with("POST") && call.ends_with("/jobs")).count();
    assert_eq!(creations, 2);
    let (winner, lost, users) = match (four, six) {
        (Ok(winner), Err(lost)) => (winner, lost, 4),
        (Err(lost), Ok(winner)) => (winner, lost, 6),
        other => panic!("one wins and one loses: {other:?}"),
    };
    let map = api.object(&format!("{MAPS}/{}", mounted(&api))).unwrap();
    let text = map["data"]["config.yaml"].as_str().unwrap();
    assert_eq!(Settings::parse(text).unwrap().complete().unwrap().users, [users]);
    assert_eq!(map["metadata"]["ownerReferences"][0]["uid"], winner.uid.as_str());
    assert_eq!(lost.code, ExitCode::Preflight);
    assert!(lost.message.contains(&format!("is running (run id {})", winner.uid)), "{lost}");
    assert_eq!(api.object(&format!("{MAPS}/{JOB_SETTINGS}")), before);
    let deleted = api.calls().iter().filter(|call| call.starts_with("DELETE")).count();
    assert_eq!(deleted, 1, "the loser's settings");
}

#[tokio::test]
async fn an_ended_job_is_replaced_and_a_running_one_is_not() {
    let api = FakeApi::default();
    api.put(JOB_PATH, job_with("Complete"));
    let old = api.object(JOB_PATH).unwrap()["metadata"]["uid"].clone();
    let first = submit_quietly(&api, 4).await.unwrap();
    assert_ne!(old, first.uid.as_str());
    let refused = submit_quietly(&api, 6).await.unwrap_err();
    assert_eq!(refused.code, ExitCode::Preflight);
    assert_eq!(api.object(JOB_PATH).unwrap()["metadata"]["uid"], first.uid.as_str());
    let maps = api.calls().iter().filter(|call| *call == &format!("POST {MAPS}")).count();
    assert_eq!(maps, 1, "the refused submission wrote nothing");
}

#[tokio::test]
async fn a_job_that_another_submission_has_just_created_is_not_deleted() {
    let api = FakeApi::default();
    api.put(JOB_PATH, job_with("Failed"));
    // Between this submission's look at the ended Job and its deletion, another one replaces it.
    api.fail(|method, path, objects| {
        if method == http::Method::DELETE && path == JOB_PATH {
            let newer = json!({ "name": JOB, "uid": "newer", "resourceVersion": "99" });
            objects.insert(path.to_owned(), json!({ "metadata": newer }));
        }
        None
    });
    let refused = submit_quietly(&api, 6).await.unwrap_err();
    assert!(refused.message.contains("is running (run id newer)"), "{refused}");
    assert!(api.object(JOB_PATH).is_some());
}

#[tokio::test]
async fn settings_that_cannot_be_adopted_are_told_and_the_job_runs() {
    let api = FakeApi::default();
    api.fail(|method, _, _| (method == http::Method::PATCH).then_some(Fault::Refused(403)));
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    let events = Events::to(move |event| sink.lock().unwrap().push(event.to_string()));
    submit(&api.cluster(), &settings(4), &driver(false), &events).await.unwrap();
    let told = told.lock().unwrap();
    assert!(told[0].contains("permission is missing") && told[0].contains(&mounted(&api)), "{told:?}");
}

#[tokio::test]
async fn a_job_whose_creation_was_not_answered_is_followed_all_the_same() {
    let api = FakeApi::default();
    api.fail(|method, path, _| {
        (method == http::Method::POST && path.ends_with("/jobs")).then_some(Fault::LostAnswer)
    });
    let job = submit_quietly(&api, 4).await.unwrap();
    assert_eq!(api.object(JOB_PATH).unwrap()["metadata"]["uid"], job.uid.as_str());
    assert!(api.object(&format!("{MAPS}/{}", mounted(&api))).is_some(), "its settings are there");
}

#[tokio::test]
async fn a_job_that_the_server_refuses_leaves_no_settings() {
    let api = FakeApi::default();
    api.fail(|method, path, _| {
        (method == http::Method::POST && path.ends_with("/jobs")).then_some(Fault::Refused(403))
    });
    let refused = submit_quietly(&api, 4).await.unwrap_err();
    assert!(refused.message.contains("permission is missing"), "{refused}");
    let calls = api.calls();
    assert!(calls.last().unwrap().starts_with(&format!("DELETE {MAPS}/")), "{calls:?}");
}
