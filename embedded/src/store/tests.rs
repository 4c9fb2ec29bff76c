use futures::FutureExt;
use serde_json::{Value, json};

use super::{DeleteOptions, EventKind, Key, Propagation, Store};
use crate::kinds::{CONFIG_MAPS, DEPLOYMENTS, JOBS, Kind, NAMESPACES, PODS};

fn named(name: &str) -> Value {
    json!({ "metadata": { "namespace": "default", "name": name } })
}

fn key(kind: &'static Kind, name: &str) -> Key {
    Key::new(kind, "default", name)
}

#[test]
fn a_new_object_gets_uid_creation_time_and_generation() {
    let store = Store::new();
    let created = store
        .create(&DEPLOYMENTS, json!({ "metadata": { "namespace": "default", "generateName": "a-" } }))
        .unwrap();
    let metadata = &created["metadata"];
    assert_eq!(created["apiVersion"], "apps/v1");
    assert_eq!(metadata["generation"], 1);
    assert!(metadata["name"].as_str().unwrap().starts_with("a-"));
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert!(metadata["creationTimestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        store
            .create(&CONFIG_MAPS, json!({ "metadata": { "namespace": "gone", "name": "a" } }))
            .unwrap_err()
            .code,
        404
    );
    store.create(&CONFIG_MAPS, named("a")).unwrap();
    assert_eq!(store.create(&CONFIG_MAPS, named("a")).unwrap_err().reason, "AlreadyExists");
}

#[test]
fn every_change_raises_the_version_and_a_change_of_the_spec_the_generation() {
    let store = Store::new();
    let created = store.create(&DEPLOYMENTS, named("a")).unwrap();
    let key = key(&DEPLOYMENTS, "a");
    assert_eq!(store.update(&key, |_| Ok(())).unwrap(), created);
    let status = store
        .update(&key, |object| {
            object["status"] = json!({ "replicas": 1 });
            Ok(())
        })
        .unwrap();
    assert_ne!(status["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
    assert_eq!(status["metadata"]["generation"], 1);
    let spec = store
        .update(&key, |object| {
            object["spec"] = json!({ "replicas": 1 });
            Ok(())
        })
        .unwrap();
    assert_eq!(spec["metadata"]["generation"], 2);
    let renamed = store
        .update(&key, |object| {
            object["metadata"] = json!({ "name": "b" });
            Ok(())
        })
        .unwrap();
    assert_eq!(renamed["metadata"]["name"], "a");
    assert_eq!(renamed["metadata"]["uid"], created["metadata"]["uid"]);
}

#[test]
fn a_list_holds_one_kind_of_one_namespace_in_order() {
    let store = Store::new();
    store.create(&NAMESPACES, json!({ "metadata": { "name": "other" } })).unwrap();
    for (namespace, name) in [("other", "a"), ("default", "b"), ("default", "a")] {
        store.create(&PODS, json!({ "metadata": { "namespace": namespace, "name": name } })).unwrap();
        store.create(&CONFIG_MAPS, json!({ "metadata": { "namespace": namespace, "name": name } })).unwrap();
    }
    let names = |namespace| -> Vec<String> {
        let (list, _) = store.list(&PODS, namespace);
        list.iter()
            .map(|pod| format!("{}/{}", pod["metadata"]["namespace"], pod["metadata"]["name"]))
            .collect()
    };
    assert_eq!(names(Some("default")), [r#""default"/"a""#, r#""default"/"b""#]);
    assert_eq!(names(None).len(), 3);
}

#[test]
fn a_watch_continues_from_a_list_and_expires_when_it_is_too_far_behind() {
    let store = Store::new();
    let (_, since) = store.list(&CONFIG_MAPS, None);
    store.create(&CONFIG_MAPS, named("a")).unwrap();
    store
        .update(&key(&CONFIG_MAPS, "a"), |object| {
            object["data"] = json!({ "x": "1" });
            Ok(())
        })
        .unwrap();
    store.delete(&key(&CONFIG_MAPS, "a"), &DeleteOptions::default()).unwrap();
    let mut watch = store.watch(&CONFIG_MAPS, since).unwrap();
    let mut events = Vec::new();
    while let Some(event) = watch.next().now_or_never() {
        events.push(event.unwrap().unwrap());
    }
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Added, EventKind::Modified, EventKind::Deleted]);
    assert_eq!(events[2].object["data"]["x"], "1");
    assert_eq!(events[2].object["metadata"]["resourceVersion"], events[2].version.to_string());
    assert_eq!(store.watch(&CONFIG_MAPS, 1_000_000).unwrap_err().code, 410);
    for i in 0..2_000 {
        store.create(&CONFIG_MAPS, named(&format!("m{i}"))).unwrap();
    }
    assert_eq!(store.watch(&CONFIG_MAPS, since).unwrap_err().code, 410);
    assert_eq!(watch.next().now_or_never().unwrap().unwrap().unwrap_err().code, 410);
}

#[test]
fn fewer_events_of_large_objects_are_kept() {
    let store = Store::new();
    store.create(&CONFIG_MAPS, named("a")).unwrap();
    let mut versions = Vec::new();
    for i in 0..100 {
        let large = format!("{i} {}", "x".repeat(1_000_000));
        let change = |object: &mut Value| {
            object["data"] = json!({ "a": large });
            Ok(())
        };
        store.update(&key(&CONFIG_MAPS, "a"), change).unwrap();
        versions.push(store.list(&CONFIG_MAPS, None).1);
    }
    assert!(store.watch(&CONFIG_MAPS, versions[98]).is_ok());
    assert_eq!(store.watch(&CONFIG_MAPS, versions[90]).unwrap_err().code, 410);
}

#[tokio::test]
async fn a_waiting_watch_wakes_on_a_change() {
    let store = Store::new();
    let (_, since) = store.list(&PODS, None);
    let mut watch = store.watch(&PODS, since).unwrap();
    let waiting = tokio::spawn(async move { watch.next().await.unwrap().unwrap().kind });
    tokio::task::yield_now().await;
    store.create(&PODS, named("a")).unwrap();
    assert_eq!(waiting.await.unwrap(), EventKind::Added);
}

#[test]
fn a_running_pod_is_marked_and_removed_by_the_kubelet() {
    let store = Store::new();
    let mut pod = named("a");
    pod["spec"] = json!({ "nodeName": "here", "terminationGracePeriodSeconds": 7 });
    store.create(&PODS, pod).unwrap();
    let key = key(&PODS, "a");
    let marked = store.delete(&key, &DeleteOptions::default()).unwrap();
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 7);
    assert!(store.get(&key).is_some());
    let longer = DeleteOptions { grace_period: Some(60), ..DeleteOptions::default() };
    assert_eq!(store.delete(&key, &longer).unwrap(), marked);
    store.remove(&key);
    assert!(store.get(&key).is_none());
    store.create(&PODS, named("never-started")).unwrap();
    store.delete(&self::key(&PODS, "never-started"), &DeleteOptions::default()).unwrap();
    assert!(store.list(&PODS, None).0.is_empty());
}

#[test]
fn an_object_stays_until_its_last_finalizer_is_removed() {
    let store = Store::new();
    store.create(&JOBS, named("a")).unwrap();
    let key = key(&JOBS, "a");
    let marked = store.delete(&key, &DeleteOptions::default()).unwrap();
    assert_eq!(marked["metadata"]["finalizers"], json!(["orphan"]));
    store
        .update(&key, |object| {
            object["metadata"]["finalizers"] = json!([]);
            Ok(())
        })
        .unwrap();
    assert!(store.get(&key).is_none());
    store.create(&JOBS, named("a")).unwrap();
    let background = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    store.delete(&key, &background).unwrap();
    assert!(store.get(&key).is_none());
    let wrong = DeleteOptions { uid: Some("other".into()), ..background };
    store.create(&JOBS, named("a")).unwrap();
    assert_eq!(store.delete(&key, &wrong).unwrap_err().reason, "Conflict");
}

#[test]
fn a_namespace_is_deleted_after_everything_in_it() {
    let store = Store::new();
    store.create(&NAMESPACES, json!({ "metadata": { "name": "n" } })).unwrap();
    for i in 0..100 {
        store
            .create(&CONFIG_MAPS, json!({ "metadata": { "namespace": "n", "name": format!("c{i}") } }))
            .unwrap();
    }
    let pod = json!({ "metadata": { "namespace": "n", "name": "p" }, "spec": { "nodeName": "here" } });
    store.create(&PODS, pod).unwrap();
    let namespace = Key::new(&NAMESPACES, "", "n");
    let marked = store.delete(&namespace, &DeleteOptions::default()).unwrap();
    assert_eq!(marked["status"]["phase"], "Terminating");
    assert!(store.list(&CONFIG_MAPS, Some("n")).0.is_empty());
    assert!(store.get(&namespace).is_some());
    let late = json!({ "metadata": { "namespace": "n", "name": "late" } });
    assert_eq!(store.create(&PODS, late).unwrap_err().code, 403);
    store.remove(&Key::new(&PODS, "n", "p"));
    assert!(store.get(&namespace).is_none());
}
