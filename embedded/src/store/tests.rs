use futures::FutureExt;
use serde_json::{Value, json};

use super::kinds::{CONFIG_MAPS, DEPLOYMENTS, JOBS, NAMESPACES, PODS};
use super::{DeleteOptions, EventKind, Key, Propagation, Store};

fn named(name: &str) -> Value {
    json!({ "metadata": { "namespace": "default", "name": name } })
}

fn key(kind: &'static super::Kind, name: &str) -> Key {
    Key::new(kind, "default", name)
}

#[test]
fn a_new_object_has_the_metadata_of_kubernetes() {
    let store = Store::new();
    let made = store
        .create(&DEPLOYMENTS, json!({ "metadata": { "namespace": "default", "generateName": "a-" } }))
        .unwrap();
    let metadata = &made["metadata"];
    assert_eq!(made["apiVersion"], "apps/v1");
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
fn only_a_change_makes_a_version_and_only_one_of_the_spec_a_generation() {
    let store = Store::new();
    let made = store.create(&DEPLOYMENTS, named("a")).unwrap();
    let key = key(&DEPLOYMENTS, "a");
    assert_eq!(store.update(&key, |_| Ok(())).unwrap(), made);
    let status = store
        .update(&key, |object| {
            object["status"] = json!({ "replicas": 1 });
            Ok(())
        })
        .unwrap();
    assert_ne!(status["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
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
    assert_eq!(renamed["metadata"]["uid"], made["metadata"]["uid"]);
}

#[test]
fn a_list_is_one_kind_in_one_namespace_sorted() {
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
fn a_watch_goes_on_from_a_list_and_says_when_it_cannot() {
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
    let mut seen = Vec::new();
    while let Some(event) = watch.next().now_or_never() {
        seen.push(event.unwrap().unwrap());
    }
    let kinds: Vec<EventKind> = seen.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Added, EventKind::Modified, EventKind::Deleted]);
    assert_eq!(seen[2].object["data"]["x"], "1");
    assert_eq!(seen[2].object["metadata"]["resourceVersion"], seen[2].version.to_string());
    assert_eq!(store.watch(&CONFIG_MAPS, 1_000_000).unwrap_err().code, 410);
    for i in 0..2_000 {
        store.create(&CONFIG_MAPS, named(&format!("m{i}"))).unwrap();
    }
    assert_eq!(store.watch(&CONFIG_MAPS, since).unwrap_err().code, 410);
    assert_eq!(watch.next().now_or_never().unwrap().unwrap().unwrap_err().code, 410);
}

#[test]
fn large_objects_leave_room_for_few_events() {
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
    assert!(store.watch(&CONFIG_MAPS, versions[95]).is_ok());
    assert_eq!(store.watch(&CONFIG_MAPS, versions[85]).unwrap_err().code, 410);
}

#[tokio::test]
async fn a_watch_wakes() {
    let store = Store::new();
    let (_, since) = store.list(&PODS, None);
    let mut watch = store.watch(&PODS, since).unwrap();
    let waiting = tokio::spawn(async move { watch.next().await.unwrap().unwrap().kind });
    tokio::task::yield_now().await;
    store.create(&PODS, named("a")).unwrap();
    assert_eq!(waiting.await.unwrap(), EventKind::Added);
}

#[test]
fn a_running_pod_is_marked_and_ended_by_its_kubelet() {
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
fn finalizers_hold_an_object_until_the_last_is_gone() {
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
fn a_namespace_ends_with_what_is_in_it() {
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
