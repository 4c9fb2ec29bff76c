//! Objects are applied, selected, watched and, if they conflict or are invalid, refused.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

use super::sandbox::{Sandbox, deployment, refusal};

fn map(name: &str, data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": { "app": name } }, "data": data })
}

pub(super) async fn applying_again_changes_nothing(sandbox: Sandbox) {
    let mut object = deployment(&sandbox, "web", 0);
    object["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{ "name": "A", "value": "1" }]);
    let first: Deployment = sandbox.apply(&object).await;
    // The controller must have written the status first, because that changes the version, too.
    let is_observed = |found: Option<&Deployment>| {
        found.is_some_and(|d| d.status.as_ref().and_then(|s| s.observed_generation) == d.metadata.generation)
    };
    let before = sandbox.wait_for("web", is_observed).await.expect("it is there");
    let again: Deployment = sandbox.apply(&object).await;
    assert_eq!(first.metadata.generation, again.metadata.generation);
    let spec = |d: &Deployment| serde_json::to_value(&d.spec).expect("JSON");
    assert_eq!(spec(&before), spec(&again));
    let generation = again.metadata.generation;
    object["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = json!("2");
    let changed: Deployment = sandbox.apply(&object).await;
    assert!(changed.metadata.generation > generation, "a change of the spec increases the generation");
}

pub(super) async fn two_managers_of_a_field_conflict(sandbox: Sandbox) {
    let _: ConfigMap = sandbox.apply(&map("settings", &json!({ "a": "1", "b": "1" }))).await;
    let other = map("settings", &json!({ "a": "2" }));
    let (code, reason, message) = refusal(sandbox.try_apply::<ConfigMap>("other", &other).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"), "{message}");
    assert!(message.contains("\"check\"") && message.contains(".data.a"), "{message}");
    let forced = PatchParams::apply("other").force();
    let forced = sandbox.api::<ConfigMap>().patch("settings", &forced, &Patch::Apply(&other)).await;
    let data = forced.expect("a conflict can be forced").data.expect("data");
    assert_eq!((data["a"].as_str(), data["b"].as_str()), ("2", "1"));
    // The same value is no conflict. Then both managers own the field.
    let shared = sandbox.try_apply::<ConfigMap>("third", &map("settings", &json!({ "a": "2" }))).await;
    shared.expect("agreeing is allowed");
}

pub(super) async fn a_field_that_its_manager_omits_is_removed(sandbox: Sandbox) {
    let _: ConfigMap = sandbox.apply(&map("settings", &json!({ "a": "1", "b": "1" }))).await;
    let fewer: ConfigMap = sandbox.apply(&map("settings", &json!({ "a": "1" }))).await;
    assert_eq!(fewer.data.expect("data").keys().collect::<Vec<_>>(), ["a"]);

    // Entries of a list are matched by their key.
    let mut object = deployment(&sandbox, "web", 0);
    object["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "1" }]);
    let _: Deployment = sandbox.apply(&object).await;
    object["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{ "name": "B", "value": "1" }]);
    let fewer: Deployment = sandbox.apply(&object).await;
    let pod = fewer.spec.expect("a spec").template.spec.expect("a pod");
    let names: Vec<_> = pod.containers[0].env.iter().flatten().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["B"]);
}

pub(super) async fn an_object_that_changed_meanwhile_is_not_overwritten(sandbox: Sandbox) {
    let maps = sandbox.api::<ConfigMap>();
    let mut first: ConfigMap = sandbox.apply(&map("settings", &json!({ "a": "1" }))).await;
    let mut second = first.clone();
    second.data = Some([("a".to_owned(), "2".to_owned())].into());
    let replaced = maps.replace("settings", &PostParams::default(), &second).await.expect("it is replaced");
    // Versions can only be compared for equality.
    assert_ne!(replaced.resource_version(), first.resource_version());
    first.data = Some([("a".to_owned(), "3".to_owned())].into());
    let (code, reason, _) = refusal(maps.replace("settings", &PostParams::default(), &first).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"));

    let mut twice = replaced.clone();
    twice.metadata.resource_version = None;
    let (code, reason, _) = refusal(maps.create(&PostParams::default(), &twice).await);
    assert_eq!((code, reason.as_str()), (409, "AlreadyExists"));
    let (code, reason, message) = refusal(maps.get("nothing").await);
    assert_eq!((code, reason.as_str()), (404, "NotFound"));
    assert_eq!(message, "configmaps \"nothing\" not found");
    let patch = Patch::Merge(json!({ "data": { "a": null, "b": "1" } }));
    let patched = maps.patch("settings", &PatchParams::default(), &patch).await.expect("it is patched");
    assert_eq!(patched.data.expect("data").keys().collect::<Vec<_>>(), ["b"]);
}

pub(super) async fn selectors_filter_lists(sandbox: Sandbox) {
    for (name, tier) in [("one", "front"), ("two", "back"), ("three", "back")] {
        let mut object = map(name, &json!({}));
        object["metadata"]["labels"]["tier"] = json!(tier);
        let _: ConfigMap = sandbox.apply(&object).await;
    }
    let names = async |params: ListParams| -> Vec<String> {
        let mut found: Vec<_> = sandbox.api::<ConfigMap>().list(&params).await.expect("a list").items;
        found.retain(|map| map.name_any() != "kube-root-ca.crt");
        found.iter().map(ResourceExt::name_any).collect()
    };
    let labels = |text: &str| ListParams::default().labels(text);
    assert_eq!(names(labels("tier=back")).await, ["three", "two"]);
    assert_eq!(names(labels("tier!=back,tier")).await, ["one"]);
    assert_eq!(names(labels("tier in (front,back),app notin (two)")).await, ["one", "three"]);
    assert_eq!(names(labels("!tier")).await, [""; 0]);
    assert_eq!(names(ListParams::default().fields("metadata.name=two")).await, ["two"]);
    let (code, ..) =
        refusal(sandbox.api::<ConfigMap>().list(&ListParams::default().fields("data.a=1")).await);
    assert_eq!(code, 400);
    let deleted =
        sandbox.api::<ConfigMap>().delete_collection(&DeleteParams::default(), &labels("tier=back")).await;
    deleted.expect("a collection is deleted");
    assert_eq!(names(ListParams::default()).await, ["one"]);
}

pub(super) async fn a_watch_resumes_where_it_was_cut(sandbox: Sandbox) {
    let maps = sandbox.api::<ConfigMap>();
    let start = maps.list(&ListParams::default()).await.expect("a list").metadata.resource_version;
    let params = WatchParams::default().labels("watched=yes").timeout(60);
    let change = async |name: &str, watched: &str, value: &str| {
        let mut object = map(name, &json!({ "value": value }));
        object["metadata"]["labels"]["watched"] = json!(watched);
        let _: ConfigMap = sandbox.apply(&object).await;
    };
    change("a", "yes", "1").await;
    let first = {
        let mut events = maps.watch(&params, &start.expect("a version")).await.expect("a watch").boxed();
        let event = events.try_next().await.expect("an event").expect("an event");
        let WatchEvent::Added(object) = event else { panic!("{event:?}") };
        object
        // Dropped here: the connection is cut.
    };
    change("a", "yes", "2").await;
    change("b", "no", "1").await;
    change("b", "yes", "1").await;
    change("b", "no", "2").await;
    maps.delete("a", &DeleteParams::default()).await.expect("it is deleted");
    let version = first.resource_version().expect("a version");
    let events = maps.watch(&params, &version).await.expect("the watch goes on").boxed();
    let seen: Vec<String> = events
        .take(4)
        .map_ok(|event| match event {
            WatchEvent::Added(object) => format!("+{}", object.name_any()),
            WatchEvent::Modified(object) => format!("~{}", object.name_any()),
            WatchEvent::Deleted(object) => format!("-{}", object.name_any()),
            other => format!("{other:?}"),
        })
        .try_collect()
        .await
        .expect("every event");
    // When a label begins or ceases to match, the watch reports the object as added or deleted.
    assert_eq!(seen, ["~a", "+b", "-b", "-a"]);
}

pub(super) async fn invalid_objects_are_refused_with_the_field(sandbox: Sandbox) {
    let mut object = deployment(&sandbox, "web", 1);
    object["spec"]["selector"]["matchLabels"] = json!({ "app": "other" });
    let (code, reason, message) = refusal(sandbox.try_apply::<Deployment>("check", &object).await);
    assert_eq!((code, reason.as_str()), (422, "Invalid"), "{message}");
    assert!(message.contains("selector"), "{message}");
    let mut object = deployment(&sandbox, "web", 1);
    object["spec"]["replicas"] = json!("many");
    let (code, _, message) = refusal(sandbox.try_apply::<Deployment>("check", &object).await);
    // A real API server calls it 500 here, and 400 elsewhere.
    assert!(code >= 400 && message.contains("replicas"), "{code} {message}");
    let mut object = deployment(&sandbox, "web", 1);
    object["spec"]["replicas"] = json!(-1);
    let (code, _, message) = refusal(sandbox.try_apply::<Deployment>("check", &object).await);
    assert!(code == 422 && message.contains("replicas"), "{code} {message}");
    let named: ConfigMap = serde_json::from_value(map("Not_A_Name", &json!({}))).expect("a map");
    let (code, _, message) = refusal(sandbox.api().create(&PostParams::default(), &named).await);
    assert!(code == 422 && message.contains("metadata.name"), "{code} {message}");
}
