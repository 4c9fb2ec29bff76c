//! Random operations of several clients. At the end every watcher knows the same objects as the server,
//! whatever its selector is and however often its connection was cut.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt};
use proptest::prelude::*;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::support::{Cluster, DEADLINE, typed_config_map};

#[derive(Clone, Debug)]
enum Operation {
    Create(u8, u8),
    Replace(u8, u8),
    Merge(u8, u8),
    Apply(u8, u8),
    Label(u8, bool),
    Delete(u8),
    DeleteLabelled,
    /// Cuts the connection of the watcher with this number.
    Cut(u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    let name = 0..6_u8;
    prop_oneof![
        4 => (name.clone(), any::<u8>()).prop_map(|(name, value)| Operation::Create(name, value)),
        2 => (name.clone(), any::<u8>()).prop_map(|(name, value)| Operation::Replace(name, value)),
        2 => (name.clone(), any::<u8>()).prop_map(|(name, value)| Operation::Merge(name, value)),
        2 => (name.clone(), any::<u8>()).prop_map(|(name, value)| Operation::Apply(name, value)),
        3 => (name.clone(), any::<bool>()).prop_map(|(name, on)| Operation::Label(name, on)),
        2 => name.prop_map(Operation::Delete),
        1 => Just(Operation::DeleteLabelled),
        2 => (0..3_u8).prop_map(Operation::Cut),
    ]
}

/// Versions and data of objects, by name.
type Objects = BTreeMap<String, (String, String)>;

fn entry(object: &ConfigMap) -> (String, (String, String)) {
    let data = object.data.as_ref().map(|data| format!("{data:?}")).unwrap_or_default();
    (object.name_any(), (object.resource_version().unwrap_or_default(), data))
}

async fn list(api: &Api<ConfigMap>, params: &ListParams) -> (Objects, String) {
    let list = api.list(params).await.unwrap();
    (list.items.iter().map(entry).collect(), list.metadata.resource_version.unwrap())
}

/// Follows the objects that a selector selects. Continues after each cut.
async fn follow(
    api: Api<ConfigMap>,
    list_params: ListParams,
    watch_params: WatchParams,
    mut cuts: mpsc::Receiver<()>,
    state: watch::Sender<Objects>,
) {
    let (mut objects, mut version) = list(&api, &list_params).await;
    state.send_replace(objects.clone());
    loop {
        let mut events = api.watch(&watch_params, &version).await.unwrap().boxed();
        loop {
            let event = tokio::select! {
                cut = cuts.recv() => match cut {
                    Some(()) => break,
                    None => return,
                },
                event = events.try_next() => event.unwrap(),
            };
            match event {
                Some(WatchEvent::Added(object)) => {
                    let (name, value) = entry(&object);
                    assert!(objects.insert(name, value).is_none(), "added twice: {object:?}");
                    version = object.resource_version().unwrap();
                }
                Some(WatchEvent::Modified(object)) => {
                    let (name, value) = entry(&object);
                    assert!(objects.insert(name, value).is_some(), "changed but not there: {object:?}");
                    version = object.resource_version().unwrap();
                }
                Some(WatchEvent::Deleted(object)) => {
                    assert!(objects.remove(&object.name_any()).is_some(), "gone but not there: {object:?}");
                    version = object.resource_version().unwrap();
                }
                Some(WatchEvent::Bookmark(bookmark)) => version = bookmark.metadata.resource_version,
                Some(WatchEvent::Error(status)) => panic!("{status:?}"),
                None => break,
            }
            state.send_replace(objects.clone());
        }
    }
}

async fn carry_out(api: &Api<ConfigMap>, operation: &Operation, cuts: &[mpsc::Sender<()>]) {
    let name = |number: &u8| format!("m{number}");
    let as_client = PatchParams::default();
    let outcome = match operation {
        Operation::Create(n, value) => api
            .create(&PostParams::default(), &typed_config_map(&name(n), &value.to_string()))
            .await
            .map(drop),
        Operation::Replace(n, value) => {
            let object = typed_config_map(&name(n), &value.to_string());
            api.replace(&name(n), &PostParams::default(), &object).await.map(drop)
        }
        Operation::Merge(n, value) => {
            let patch = Patch::Merge(json!({ "data": { "b": value.to_string() } }));
            api.patch(&name(n), &as_client, &patch).await.map(drop)
        }
        Operation::Apply(n, value) => {
            let object = typed_config_map(&name(n), &value.to_string());
            api.patch(&name(n), &PatchParams::apply("random").force(), &Patch::Apply(&object)).await.map(drop)
        }
        Operation::Label(n, on) => {
            let patch = Patch::Merge(json!({ "metadata": { "labels": { "on": on.then_some("yes") } } }));
            api.patch(&name(n), &as_client, &patch).await.map(drop)
        }
        Operation::Delete(n) => api.delete(&name(n), &DeleteParams::default()).await.map(drop),
        Operation::DeleteLabelled => {
            let labelled = ListParams::default().labels("on=yes");
            api.delete_collection(&DeleteParams::default(), &labelled).await.map(drop)
        }
        Operation::Cut(n) => {
            cuts[usize::from(*n)].send(()).await.unwrap();
            Ok(())
        }
    };
    // Another client may have created or deleted the object before.
    match outcome {
        Ok(()) => {}
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
        Err(error) => panic!("{operation:?}: {error}"),
    }
}

async fn run(clients: Vec<Vec<Operation>>) {
    let cluster = Cluster::start().await;
    let client = cluster.kube().await;
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    let selections = [
        (ListParams::default(), WatchParams::default()),
        (ListParams::default().labels("on=yes"), WatchParams::default().labels("on=yes")),
        (ListParams::default().fields("metadata.name=m1"), WatchParams::default().fields("metadata.name=m1")),
    ];
    let (mut cuts, mut watchers) = (Vec::new(), Vec::new());
    for (list_params, watch_params) in selections {
        let (cut, when) = mpsc::channel(64);
        let (sender, state) = watch::channel(Objects::new());
        let task = tokio::spawn(follow(api.clone(), list_params.clone(), watch_params, when, sender));
        cuts.push(cut);
        watchers.push((list_params, state, task));
    }
    let tasks = clients.into_iter().map(|operations| {
        let (api, cuts) = (api.clone(), cuts.clone());
        tokio::spawn(async move {
            for operation in &operations {
                carry_out(&api, operation, &cuts).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    for (list_params, mut state, task) in watchers {
        let (expected, _) = list(&api, &list_params).await;
        let last = state.clone();
        let same = tokio::time::timeout(DEADLINE, state.wait_for(|state| *state == expected)).await;
        let same = same.map(|same| same.is_ok());
        // If the sender no longer exists, the watcher has panicked.
        if same == Ok(false) {
            task.await.unwrap();
            continue;
        }
        assert!(
            same.is_ok(),
            "after {DEADLINE:?} the server has {expected:?}, a watcher {:?}",
            *last.borrow()
        );
        task.abort();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 8, ..ProptestConfig::default() })]

    #[test]
    fn every_watcher_finally_knows_the_objects_of_the_server(
        clients in prop::collection::vec(prop::collection::vec(operation(), 1..30), 1..4)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(clients));
        runtime.shutdown_background();
    }
}
