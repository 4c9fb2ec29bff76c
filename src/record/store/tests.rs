use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::super::tests::record;
use super::slots::name;
use super::*;
use crate::cluster::{FakeApi, Fault};
use crate::config::MOST_RUNS;
use crate::exit::ExitCode;

fn path(shard: usize) -> String {
    format!("/api/v1/namespaces/default/configmaps/{}", name(shard))
}

/// The ConfigMaps of the manifests, which are empty.
fn prepared() -> FakeApi {
    let api = FakeApi::default();
    for shard in 0..SHARDS {
        api.put(&path(shard), json!({ "metadata": { "name": name(shard) } }));
    }
    api
}

/// The ConfigMaps for as many runs as the manifests prepare.
fn prepared_for_all() -> FakeApi {
    let api = FakeApi::default();
    for number in 0..MOST_RUNS * SHARDS {
        api.put(&path(number), json!({ "metadata": { "name": name(number) } }));
    }
    api
}

fn state(run_id: &str) -> RunState {
    let original = OriginalReplicas { inference: 1, workers: 2 };
    RunState { run_id: run_id.into(), plan_hash: "hash".into(), original, restores: None, began: None }
}

fn writer(holder: &str, is_pod: bool, tell: impl Fn(String) + Send + Sync + 'static) -> Writer {
    Writer { holder: holder.into(), is_pod, events: Events::to(move |event| tell(event.to_string())) }
}

async fn begin(api: &FakeApi, holder: &str, run: &str, records: &[Record]) -> Result<ConfigMapStore> {
    let stored = ConfigMapStore::read_to_write(&api.cluster(), run, 1).await?;
    ConfigMapStore::begin(&api.cluster(), writer(holder, true, |_| {}), stored, &state(run), records).await
}

async fn read(api: &FakeApi) -> (Option<String>, Vec<Record>) {
    let stored = ConfigMapStore::read(&api.cluster(), None).await.unwrap();
    (stored.state.map(|state| state.run_id), stored.records)
}

fn of_run(run: &str, index: usize) -> Record {
    Record { run_id: run.into(), ..record(index, 1, 20, 80) }
}

#[tokio::test]
async fn what_a_run_writes_is_read_back() {
    let api = prepared();
    let mut store = begin(&api, "a", "first", &[]).await.unwrap();
    store.write(&[of_run("first", 0)]).await.unwrap();
    assert_eq!(read(&api).await, (Some("first".into()), vec![of_run("first", 0)]));
}

#[tokio::test]
async fn a_driver_that_another_one_has_followed_cannot_write_any_more() {
    let api = prepared();
    let mut old = begin(&api, "a", "first", &[]).await.unwrap();
    old.write(&[of_run("first", 0)]).await.unwrap();
    let mut new = begin(&api, "b", "second", &[]).await.unwrap();
    new.write(&[of_run("second", 0)]).await.unwrap();
    let error = old.write(&[of_run("first", 0), of_run("first", 1)]).await.unwrap_err();
    assert_eq!(error.code, ExitCode::Cluster);
    assert!(error.message.ends_with("b writes its records there now"), "{error}");
    assert_eq!(read(&api).await, (Some("second".into()), vec![of_run("second", 0)]));
    new.write(&[of_run("second", 0), of_run("second", 1)]).await.unwrap();
}

#[tokio::test]
async fn writes_of_others_and_lost_answers_do_not_stop_the_holder() {
    let api = prepared();
    let mut store = begin(&api, "a", "first", &[]).await.unwrap();
    let mut writes = 0;
    api.fail(move |method, path, objects| {
        writes += usize::from(method == http::Method::PATCH);
        if method == http::Method::PATCH && writes == 1 {
            // Somebody applies the manifests anew.
            let map = objects.get_mut(path)?;
            map["metadata"]["labels"] = json!({ "app": "locust-matrix-results" });
            map["metadata"]["resourceVersion"] = "newer".into();
        }
        (method == http::Method::PATCH && writes == 2).then_some(Fault::LostAnswer)
    });
    // The write is done, but nobody knows; the next one follows an older version.
    assert!(store.write(&[of_run("first", 0)]).await.is_err());
    store.write(&[of_run("first", 0), of_run("first", 1)]).await.unwrap();
    assert_eq!(read(&api).await.1.len(), 2);
}

#[tokio::test]
async fn a_record_that_is_written_while_the_next_driver_begins_is_not_lost() {
    let api = prepared();
    let mut old = begin(&api, "a", "run", &[]).await.unwrap();
    let stored = ConfigMapStore::read_to_write(&api.cluster(), "run", 1).await.unwrap();
    old.write(&[of_run("run", 0)]).await.unwrap();
    let begun =
        ConfigMapStore::begin(&api.cluster(), writer("b", true, |_| {}), stored, &state("run"), &[]).await;
    assert!(begun.unwrap_err().message.contains("has written to it since"));
    assert_eq!(read(&api).await.1.len(), 1);
    let stored = ConfigMapStore::read_to_write(&api.cluster(), "run", 1).await.unwrap();
    let records = stored.records.clone();
    ConfigMapStore::begin(&api.cluster(), writer("b", true, |_| {}), stored, &state("run"), &records)
        .await
        .unwrap();
    assert_eq!(read(&api).await.1.len(), 1);
}

#[tokio::test]
async fn a_record_without_room_is_a_line_of_the_pods_log_once_and_counts_as_recorded() {
    // Random times cannot be compressed: no ConfigMap has room for this record.
    let mut large = of_run("run", 1);
    let noise =
        |at: u64| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15), at.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 24);
    large.window.as_mut().unwrap().aggregated.histogram = (1..60_000).map(noise).collect();
    let api = prepared();
    let stored = ConfigMapStore::read_to_write(&api.cluster(), "run", 1).await.unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    let writer = writer("pod-a", true, move |line| sink.lock().unwrap().push(line));
    let mut store = ConfigMapStore::begin(&api.cluster(), writer, stored, &state("run"), &[]).await.unwrap();
    store.write(&[of_run("run", 0), large.clone()]).await.unwrap();
    store.write(&[of_run("run", 0), large.clone(), of_run("run", 2)]).await.unwrap();
    let records = read(&api).await.1;
    assert_eq!((records.len(), &records[0], &records[2]), (3, &of_run("run", 0), &of_run("run", 2)));
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1);
    let reason = &records[1].unmeasured.as_ref().unwrap().reasons[0];
    assert!(reason.contains("kubectl logs pod-a"), "{reason}");
    let prefix = format!("record of {}, attempt 1: ", large.scenario.id);
    assert_eq!(records::read(told[0].strip_prefix(&prefix).unwrap()).unwrap(), [large]);
}

#[tokio::test]
async fn a_record_without_room_is_not_printed_if_it_is_on_a_disk_that_stays() {
    let api = prepared();
    let stored = ConfigMapStore::read_to_write(&api.cluster(), "run", 1).await.unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    let writer = writer("laptop", false, move |line| sink.lock().unwrap().push(line));
    let store = ConfigMapStore::begin(&api.cluster(), writer, stored, &state("run"), &[]).await.unwrap();
    store.tell(&of_run("run", 0));
    assert!(told.lock().unwrap()[0].ends_with("it is on disk"));
    assert!(store.kept_in().contains("laptop"));
}

#[tokio::test]
async fn replicas_that_a_killed_run_has_not_put_back_are_known_until_somebody_does() {
    for (api, keep) in [(prepared(), 1), (prepared_for_all(), 2)] {
        let stored = ConfigMapStore::read_to_write(&api.cluster(), "killed", keep).await.unwrap();
        let killed = RunState { restores: Some("shop".into()), ..state("killed") };
        ConfigMapStore::begin(&api.cluster(), writer("a", true, |_| {}), stored, &killed, &[]).await.unwrap();
        let stored =
            async |run: &str| ConfigMapStore::read_to_write(&api.cluster(), run, keep).await.unwrap();
        let left = stored("next").await;
        assert_eq!(left.left_by_another_run("next", "shop"), Some(killed.original));
        assert_eq!(left.left_by_another_run("next", "other"), None, "another service had other replicas");
        let own = stored("killed").await;
        assert_eq!(
            own.left_by_another_run("killed", "shop"),
            None,
            "the same run resumes with its own state"
        );
        // The next run is killed, too, before the replicas are put back.
        let next = RunState { restores: Some("shop".into()), ..state("next") };
        ConfigMapStore::begin(&api.cluster(), writer("b", true, |_| {}), left, &next, &[]).await.unwrap();
        ConfigMapStore::replicas_are_restored(&api.cluster(), "other").await.unwrap();
        assert!(stored("third").await.left_by_another_run("third", "shop").is_some());
        ConfigMapStore::replicas_are_restored(&api.cluster(), "shop").await.unwrap();
        assert_eq!(stored("third").await.left_by_another_run("third", "shop"), None);
    }
}

/// Records a run that began at this second, and keeps `keep` runs.
async fn record_run(api: &FakeApi, run: &str, began: i64, keep: usize) {
    let stored = ConfigMapStore::read_to_write(&api.cluster(), run, keep).await.unwrap();
    let state = RunState { began: Some(Timestamp::from_second(began).unwrap()), ..state(run) };
    let records = [of_run(run, 0)];
    ConfigMapStore::begin(&api.cluster(), writer(run, true, |_| {}), stored, &state, &records).await.unwrap();
}

async fn kept(api: &FakeApi) -> Vec<String> {
    let runs = ConfigMapStore::runs(&api.cluster()).await.unwrap();
    runs.into_iter().map(|state| state.run_id).collect()
}

#[tokio::test]
async fn as_many_runs_are_kept_as_the_setting_says_and_the_oldest_is_replaced() {
    let api = prepared_for_all();
    for (began, run) in ["a", "b", "c", "d"].into_iter().enumerate() {
        record_run(&api, run, began.try_into().unwrap(), 2).await;
    }
    assert_eq!(kept(&api).await, ["d", "c"]);
    assert_eq!(read(&api).await, (Some("d".into()), vec![of_run("d", 0)]), "the newest, unless one is named");
    let named = ConfigMapStore::read(&api.cluster(), Some("c")).await.unwrap();
    assert_eq!(named.records, [of_run("c", 0)]);
    let replaced = ConfigMapStore::read(&api.cluster(), Some("a")).await.unwrap();
    assert_eq!((replaced.state, replaced.records.len(), replaced.others.len()), (None, 0, 2));
    // A run that goes on keeps its place, however old it is.
    record_run(&api, "c", 2, 2).await;
    assert_eq!(kept(&api).await, ["d", "c"]);
    record_run(&api, "e", 5, 3).await;
    assert_eq!(kept(&api).await, ["e", "d", "c"]);
}

#[tokio::test]
async fn manifests_of_an_earlier_version_keep_one_run() {
    for fault in [404, 403] {
        let api = prepared();
        api.fail(move |_, path, _| {
            (!(0..SHARDS).any(|shard| path.ends_with(&name(shard))) && path.contains("configmaps"))
                .then_some(Fault::Refused(fault))
        });
        record_run(&api, "a", 1, 2).await;
        record_run(&api, "b", 2, 2).await;
        assert_eq!(kept(&api).await, ["b"]);
    }
}

#[test]
fn the_state_of_an_earlier_version_has_nothing_to_put_back() {
    let text = r#"{"run_id": "old", "plan_hash": "hash", "found": {"inference": 3, "workers": 2}}"#;
    let state = serde_json::from_str::<RunState>(text).unwrap();
    assert_eq!((state.left_by_another_run("new", "shop"), state.began), (None, None));
}
