use std::sync::{Arc, Mutex};

use super::*;
use crate::cluster::{FakeApi, Fault};
use crate::exit::ExitCode;
use serde_json::{Value, json};

const HPAS: &str = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
const SCALED: &str = "/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/default/deployments/bert";

fn hpa(target: &Value, behavior: &Value) -> Value {
    json!({
        "metadata": { "name": "scale-bert" },
        "spec": { "minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": target, "behavior": behavior },
    })
}

fn bert() -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "bert" })
}

fn spec(api: &FakeApi) -> Value {
    api.object(&format!("{HPAS}/scale-bert")).unwrap()["spec"].clone()
}

async fn refused(api: &FakeApi) -> (Result<()>, Vec<String>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    let events = Events::to(move |event| sink.lock().unwrap().push(event.to_string()));
    let result = refuse_autoscaled(&api.cluster(), &Workload::for_tests("bert"), &events).await;
    let told = told.lock().unwrap().clone();
    (result, told)
}

#[tokio::test]
async fn an_autoscaler_of_the_workload_is_named_with_its_range() {
    let api = FakeApi::default();
    api.put(&format!("{HPAS}/scale-bert"), hpa(&bert(), &Value::Null));
    let error = refused(&api).await.0.unwrap_err();
    assert_eq!(error.code, ExitCode::Preflight);
    assert_eq!(
        error.message,
        "HorizontalPodAutoscaler scale-bert scales deployment bert between 2 and 4, and would change what the matrix sets"
    );
    for (kind, name, version) in [
        ("StatefulSet", "bert", "apps/v1"),
        ("Deployment", "shop", "apps/v1"),
        ("Deployment", "bert", "x.io/v1"),
    ] {
        let other = json!({ "apiVersion": version, "kind": kind, "name": name });
        api.put(&format!("{HPAS}/scale-bert"), hpa(&other, &Value::Null));
        assert!(refused(&api).await.0.is_ok(), "{version} {kind} {name}");
    }
}

#[tokio::test]
async fn where_autoscalers_may_not_be_read_the_user_hears_it_and_the_run_goes_on() {
    let api = FakeApi::default();
    api.fail(|_, path, _| path.contains("autoscal").then_some(Fault::Refused(403)));
    let (result, told) = refused(&api).await;
    assert!(result.is_ok());
    assert!(told[0].contains("whether an autoscaler scales deployment bert is not known"), "{told:?}");
}

#[tokio::test]
async fn somebody_who_puts_the_replicas_back_is_told() {
    let api = FakeApi::default();
    let entry = json!({
        "manager": "argocd-controller", "operation": "Update", "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { "f:replicas": {} } },
    });
    api.put(DEPLOYMENT, json!({ "metadata": { "name": "bert", "managedFields": [entry] } }));
    let (result, told) = refused(&api).await;
    assert!(result.is_ok() && told[0].contains("argocd-controller may set the replicas"), "{told:?}");
}

#[tokio::test]
async fn a_paused_autoscaler_holds_every_count_of_the_matrix_and_is_put_back_exactly() {
    let own = json!({ "scaleUp": { "stabilizationWindowSeconds": 5, "policies": [{ "type": "Pods" }] } });
    for behavior in [Value::Null, own] {
        let api = FakeApi::default();
        api.put(&format!("{HPAS}/scale-bert"), hpa(&bert(), &behavior));
        let (cluster, workload) = (api.cluster(), Workload::for_tests("bert"));
        let before = spec(&api);
        let paused = pause_autoscalers(&cluster, &workload, 8).await.unwrap();
        assert_eq!(paused, ["HorizontalPodAutoscaler scale-bert"]);
        assert_eq!((&spec(&api)["minReplicas"], &spec(&api)["maxReplicas"]), (&json!(1), &json!(8)));
        for direction in ["scaleUp", "scaleDown"] {
            assert_eq!(spec(&api)["behavior"][direction]["selectPolicy"], "Disabled");
        }
        assert!(refused(&api).await.0.is_ok(), "a paused one does not scale");
        assert!(is_left_paused(&cluster, &workload).await);
        // The run was killed, and another one pauses for more replicas: it knows what was there at first.
        pause_autoscalers(&cluster, &workload, 16).await.unwrap();
        assert_eq!(spec(&api)["maxReplicas"], 16);
        let resumed = resume_autoscalers(&cluster, &workload).await.unwrap();
        assert_eq!(resumed, ["HorizontalPodAutoscaler scale-bert"]);
        let mut expected = before;
        if behavior.is_null() {
            expected.as_object_mut().unwrap().remove("behavior");
        }
        assert_eq!(spec(&api), expected);
        assert!(!is_left_paused(&cluster, &workload).await);
        assert_eq!(
            resume_autoscalers(&cluster, &workload).await.unwrap(),
            [""; 0],
            "there is nothing left to do"
        );
    }
}

#[tokio::test]
async fn a_scaled_object_of_keda_is_paused_by_its_annotation_and_its_own_hpa_is_left_alone() {
    let api = FakeApi::default();
    let owner =
        json!({ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "bert", "uid": "k" });
    let mut made = hpa(&bert(), &Value::Null);
    made["metadata"]["ownerReferences"] = json!([owner]);
    api.put(&format!("{HPAS}/scale-bert"), made);
    let target = json!({ "metadata": { "name": "bert" }, "spec": { "scaleTargetRef": { "name": "bert" } } });
    api.put(&format!("{SCALED}/bert"), target);
    let error = refused(&api).await.0.unwrap_err();
    assert!(error.message.starts_with("ScaledObject bert scales deployment bert"), "{error}");
    let (cluster, workload) = (api.cluster(), Workload::for_tests("bert"));
    let hpa_before = spec(&api);
    assert_eq!(pause_autoscalers(&cluster, &workload, 8).await.unwrap(), ["ScaledObject bert"]);
    let annotations = || api.object(&format!("{SCALED}/bert")).unwrap()["metadata"]["annotations"].clone();
    assert_eq!(annotations()["autoscaling.keda.sh/paused"], "true");
    assert_eq!(spec(&api), hpa_before);
    assert_eq!(resume_autoscalers(&cluster, &workload).await.unwrap(), ["ScaledObject bert"]);
    assert_eq!(annotations(), json!({}));
}

#[tokio::test]
async fn a_missing_right_to_pause_is_named_with_the_rule_to_add() {
    let api = FakeApi::default();
    api.put(&format!("{HPAS}/scale-bert"), hpa(&bert(), &Value::Null));
    api.fail(|method, _, _| (*method == http::Method::PATCH).then_some(Fault::Refused(403)));
    let error = pause_autoscalers(&api.cluster(), &Workload::for_tests("bert"), 8).await.unwrap_err();
    assert_eq!(error.code, ExitCode::Preflight);
    assert!(error.to_string().contains("resources: [horizontalpodautoscalers]"), "{error}");
}

#[tokio::test]
async fn a_conflict_with_the_autoscalers_own_controller_is_tried_again() {
    let api = FakeApi::default();
    api.put(&format!("{HPAS}/scale-bert"), hpa(&bert(), &Value::Null));
    let (cluster, workload) = (api.cluster(), Workload::for_tests("bert"));
    let before = spec(&api);
    let conflicts = |api: &FakeApi| {
        let mut left = 3;
        api.fail(move |method, _, _| {
            let is_patch = *method == http::Method::PATCH && left > 0;
            left -= i32::from(is_patch);
            is_patch.then_some(Fault::Refused(409))
        });
    };
    conflicts(&api);
    pause_autoscalers(&cluster, &workload, 8).await.unwrap();
    assert_eq!(spec(&api)["maxReplicas"], 8);
    conflicts(&api);
    resume_autoscalers(&cluster, &workload).await.unwrap();
    assert_eq!(spec(&api)["maxReplicas"], before["maxReplicas"]);
}

#[tokio::test]
async fn autoscalers_that_cannot_be_listed_are_not_paused_in_silence() {
    let api = FakeApi::default();
    api.fail(|_, path, _| path.contains("autoscal").then_some(Fault::Refused(403)));
    let error = pause_autoscalers(&api.cluster(), &Workload::for_tests("bert"), 8).await.unwrap_err();
    assert_eq!(error.code, ExitCode::Preflight);
    assert!(error.to_string().contains("horizontalpodautoscalers"), "{error}");
}
