//! Watches.

use embedded::kinds;
use embedded::store::Key;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};

use crate::support::{CONFIG_MAPS, Cluster, DEADLINE, config_map, typed_config_map};

/// The first `count` events of a watch. Fewer if the watch ends.
async fn events(cluster: &Cluster, query: &str, count: usize) -> Vec<Value> {
    let url = cluster.url(&format!("{CONFIG_MAPS}?watch=true&{query}"));
    let mut response = cluster.http().get(url).bearer_auth(cluster.tokens.admin()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut read = Vec::new();
    let mut received: Vec<Value> = Vec::new();
    while received.len() < count {
        let part = tokio::time::timeout(DEADLINE, response.chunk()).await.unwrap().unwrap();
        let Some(part) = part else { break };
        read.extend_from_slice(&part);
        while let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = read.drain(..=end).collect();
            received.push(serde_json::from_slice(&line).unwrap());
        }
    }
    received
}

/// Type and name of each event.
fn short(events: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events
        .iter()
        .map(|event| format!("{} {}", text(&event["type"]), text(&event["object"]["metadata"]["name"])))
        .collect()
}

#[tokio::test]
async fn a_watch_begins_at_the_requested_version() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a")).await;
    let (_, b) = cluster.post(CONFIG_MAPS, &config_map("b")).await;
    cluster.delete(&format!("{CONFIG_MAPS}/a"), &json!({})).await;
    assert_eq!(short(&events(&cluster, "", 1).await), ["ADDED b"]);
    assert_eq!(
        short(&events(&cluster, "resourceVersion=2&timeoutSeconds=1", 9).await)[..],
        ["ADDED a", "ADDED b", "DELETED a"][..]
    );
    let version = b["metadata"]["resourceVersion"].as_str().unwrap();
    assert_eq!(short(&events(&cluster, &format!("resourceVersion={version}"), 1).await), ["DELETED a"]);
    let with_initial_events =
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let received = events(&cluster, with_initial_events, 2).await;
    assert_eq!(short(&received), ["ADDED b", "BOOKMARK "]);
    assert_eq!(received[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn an_object_is_added_when_it_begins_to_match_and_deleted_when_it_no_longer_matches() {
    let cluster = Cluster::start().await;
    let (_, first) = cluster.post(CONFIG_MAPS, &config_map("a")).await;
    for labels in
        [json!({ "x": "1" }), json!({ "x": "1", "y": "1" }), json!({ "x": "2" }), json!({ "x": "1" })]
    {
        let mut object = config_map("a");
        object["metadata"]["labels"] = labels;
        cluster.put(&format!("{CONFIG_MAPS}/a"), &object).await;
    }
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    let received = events(&cluster, &format!("labelSelector=x%3D1&resourceVersion={version}"), 4).await;
    assert_eq!(short(&received), ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a"]);
    assert_eq!(received[2]["object"]["metadata"]["labels"]["x"], "1");
}

#[tokio::test]
async fn an_old_version_is_expired_and_kube_lists_again() {
    let cluster = Cluster::start().await;
    for i in 0..1_500 {
        let mut object = config_map("busy");
        object["metadata"]["namespace"] = json!("default");
        object["data"]["a"] = json!(i.to_string());
        let key = Key::of(&kinds::CONFIG_MAPS, &object);
        if i == 0 {
            cluster.store.create(key.kind, object).unwrap();
        } else {
            cluster
                .store
                .update(&key, |now| {
                    now["data"] = object["data"].clone();
                    Ok(())
                })
                .unwrap();
        }
    }
    for version in ["2", "999999"] {
        let received = events(&cluster, &format!("resourceVersion={version}"), 1).await;
        assert_eq!((&received[0]["type"], &received[0]["object"]["code"]), (&json!("ERROR"), &json!(410)));
        assert_eq!(received[0]["object"]["reason"], "Expired");
    }
    let api: Api<ConfigMap> = Api::namespaced(cluster.kube().await, "default");
    let mut applied = watcher(api.clone(), watcher::Config::default()).applied_objects().boxed();
    let next = tokio::time::timeout(DEADLINE, applied.try_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(next.data.unwrap()["a"], "1499");
    // The same with kube's other way to start a watch.
    let streaming = watcher::Config::default().streaming_lists();
    let mut applied = watcher(api, streaming).applied_objects().boxed();
    let next = tokio::time::timeout(DEADLINE, applied.try_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(next.metadata.name.as_deref(), Some("busy"));
}

#[tokio::test]
async fn a_watch_ends_at_its_timeout() {
    let cluster = Cluster::start().await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.kube().await, "default");
    let created = api.create(&kube::api::PostParams::default(), &typed_config_map("a", "1")).await.unwrap();
    let params = WatchParams::default().timeout(1);
    let version = created.metadata.resource_version.unwrap();
    let events = api.watch(&params, &version).await.unwrap();
    let all: Vec<WatchEvent<ConfigMap>> =
        tokio::time::timeout(DEADLINE, events.try_collect()).await.unwrap().unwrap();
    assert!(all.is_empty(), "{all:?}");
}
