//! Creating, reading, changing and deleting objects.

use reqwest::Method;
use serde_json::json;

use crate::support::{CONFIG_MAPS, Cluster, DEPLOYMENTS, PODS, config_map, deployment, expect_refusal, pod};

#[tokio::test]
async fn a_new_deployment_gets_kubernetes_defaults() {
    let cluster = Cluster::start().await;
    let (code, created) = cluster.post(DEPLOYMENTS, &deployment("a")).await;
    assert_eq!(code, 201, "{created}");
    let spec = &created["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(
        spec["strategy"],
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } })
    );
    let pod = &spec["template"]["spec"];
    assert_eq!(
        (&pod["restartPolicy"], &pod["terminationGracePeriodSeconds"]),
        (&json!("Always"), &json!(30))
    );
    assert_eq!(pod["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(created["metadata"]["generation"], 1);
    assert_eq!(created["metadata"]["namespace"], "default");
    let again = cluster.post(DEPLOYMENTS, &deployment("a")).await;
    assert_eq!(expect_refusal(&again, 409, "AlreadyExists"), "deployments.apps \"a\" already exists");
}

#[tokio::test]
async fn a_job_selects_its_pods_by_its_uid() {
    let cluster = Cluster::start().await;
    let job = json!({ "metadata": { "name": "j" }, "spec": { "template": { "spec": {
        "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i" }] } } } });
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let (code, created) = cluster.post(jobs, &job).await;
    assert_eq!(code, 201, "{created}");
    let uid = &created["metadata"]["uid"];
    assert_eq!(created["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"], *uid);
    assert_eq!(created["spec"]["template"]["metadata"]["labels"]["batch.kubernetes.io/controller-uid"], *uid);
    assert_eq!(created["spec"]["backoffLimit"], 6);
    // A patch without the fields that the server has added changes nothing.
    let (code, same) = cluster.patch(&format!("{jobs}/j"), "merge-patch+json", &job).await;
    assert_eq!((code, &same), (200, &created));
    let mut other = job.clone();
    other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("other");
    let refused = cluster.patch(&format!("{jobs}/j"), "merge-patch+json", &other).await;
    assert!(expect_refusal(&refused, 422, "Invalid").contains("spec.template: Invalid value"));
}

#[tokio::test]
async fn replacing_an_outdated_version_is_a_conflict() {
    let cluster = Cluster::start().await;
    let (_, first) = cluster.post(CONFIG_MAPS, &config_map("a")).await;
    let path = format!("{CONFIG_MAPS}/a");
    let mut second = first.clone();
    second["data"]["a"] = json!("2");
    let (code, second) = cluster.put(&path, &second).await;
    assert_eq!((code, &second["data"]["a"]), (200, &json!("2")));
    let stale = cluster.put(&path, &first).await;
    let message = expect_refusal(&stale, 409, "Conflict");
    assert_eq!(
        message,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    // Without a version, the last writer wins. Writing the same again changes nothing.
    let (_, third) = cluster.put(&path, &config_map("a")).await;
    let (_, same) = cluster.put(&path, &config_map("a")).await;
    assert_ne!(third["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]);
    assert_eq!(third, same);
}

#[tokio::test]
async fn json_merge_and_strategic_patches_work() {
    let cluster = Cluster::start().await;
    cluster.post(DEPLOYMENTS, &deployment("a")).await;
    let path = format!("{DEPLOYMENTS}/a");
    let json_patch = json!([{ "op": "test", "path": "/spec/replicas", "value": 1 }, { "op": "replace", "path": "/spec/replicas", "value": 2 }]);
    let (code, after) = cluster.patch(&path, "json-patch+json", &json_patch).await;
    assert_eq!((code, &after["spec"]["replicas"]), (200, &json!(2)));
    let failed = cluster.patch(&path, "json-patch+json", &json_patch).await;
    expect_refusal(&failed, 422, "Invalid");
    let (code, after) =
        cluster.patch(&path, "merge-patch+json", &json!({ "metadata": { "labels": { "x": "y" } } })).await;
    assert_eq!((code, &after["metadata"]["labels"]["x"]), (200, &json!("y")));
    let strategic = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "i:2" }, { "name": "d", "image": "j" }] } } } });
    let (code, after) = cluster.patch(&path, "strategic-merge-patch+json", &strategic).await;
    let containers = &after["spec"]["template"]["spec"]["containers"];
    assert_eq!((code, &containers[0]["image"], &containers[1]["name"]), (200, &json!("i:2"), &json!("d")));
    assert_eq!(after["metadata"]["generation"], 3);
    let selector = json!({ "spec": { "selector": { "matchLabels": { "app": "b" } } } });
    let refused = cluster.patch(&path, "merge-patch+json", &selector).await;
    assert!(expect_refusal(&refused, 422, "Invalid").contains("field is immutable"));
}

#[tokio::test]
async fn status_and_scale_are_changed_only_through_their_subresources() {
    let cluster = Cluster::start().await;
    let mut wanted = deployment("a");
    wanted["status"] = json!({ "replicas": 7 });
    let (_, created) = cluster.post(DEPLOYMENTS, &wanted).await;
    assert!(created["status"].get("replicas").is_none(), "{created}");
    let path = format!("{DEPLOYMENTS}/a");
    let both = json!({ "spec": { "replicas": 5 }, "status": { "replicas": 3 } });
    let (_, after) = cluster.patch(&format!("{path}/status"), "merge-patch+json", &both).await;
    assert_eq!((&after["spec"]["replicas"], &after["status"]["replicas"]), (&json!(1), &json!(3)));
    let (_, after) = cluster.patch(&path, "merge-patch+json", &both).await;
    assert_eq!((&after["spec"]["replicas"], &after["status"]["replicas"]), (&json!(5), &json!(3)));
    let (code, scale) = cluster.get(&format!("{path}/scale")).await;
    assert_eq!((code, &scale["kind"], &scale["spec"]["replicas"]), (200, &json!("Scale"), &json!(5)));
    assert_eq!(scale["status"], json!({ "replicas": 3, "selector": "app=a" }));
    let (code, scale) = cluster
        .patch(&format!("{path}/scale"), "merge-patch+json", &json!({ "spec": { "replicas": 2 } }))
        .await;
    assert_eq!((code, &scale["spec"]["replicas"]), (200, &json!(2)));
    let refused = cluster
        .patch(&format!("{path}/scale"), "merge-patch+json", &json!({ "spec": { "replicas": -1 } }))
        .await;
    assert!(expect_refusal(&refused, 422, "Invalid").contains("must be greater than or equal to 0"));
    let mut old = scale.clone();
    old["metadata"]["resourceVersion"] = json!("1");
    expect_refusal(&cluster.put(&format!("{path}/scale"), &old).await, 409, "Conflict");
}

#[tokio::test]
async fn objects_are_deleted_by_name_by_label_and_with_preconditions() {
    let cluster = Cluster::start().await;
    for name in ["a", "b", "c"] {
        let mut object = config_map(name);
        object["metadata"]["labels"] = json!({ "keep": if name == "c" { "yes" } else { "no" } });
        cluster.post(CONFIG_MAPS, &object).await;
    }
    let wrong = json!({ "preconditions": { "uid": "other" } });
    expect_refusal(&cluster.delete(&format!("{CONFIG_MAPS}/a"), &wrong).await, 409, "Conflict");
    let (code, answer) = cluster.delete(&format!("{CONFIG_MAPS}/a"), &json!({})).await;
    assert_eq!((code, &answer["status"]), (200, &json!("Success")));
    expect_refusal(&cluster.delete(&format!("{CONFIG_MAPS}/a"), &json!({})).await, 404, "NotFound");
    let (code, _) =
        cluster.delete(&format!("{CONFIG_MAPS}?labelSelector=keep+notin+(yes)"), &json!({})).await;
    assert_eq!(code, 200);
    let (_, rest) = cluster.get(CONFIG_MAPS).await;
    let names: Vec<_> =
        rest["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(names, ["c"]);
    cluster.post(DEPLOYMENTS, &deployment("d")).await;
    let (_, marked) =
        cluster.delete(&format!("{DEPLOYMENTS}/d"), &json!({ "propagationPolicy": "Foreground" })).await;
    assert_eq!(marked["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    let nonsense =
        cluster.delete(&format!("{DEPLOYMENTS}/d"), &json!({ "propagationPolicy": "Maybe" })).await;
    expect_refusal(&nonsense, 422, "Invalid");
}

#[tokio::test]
async fn a_dry_run_answers_but_stores_nothing() {
    let cluster = Cluster::start().await;
    let (code, created) = cluster.post(&format!("{DEPLOYMENTS}?dryRun=All"), &deployment("a")).await;
    assert_eq!((code, &created["spec"]["replicas"]), (201, &json!(1)));
    expect_refusal(&cluster.get(&format!("{DEPLOYMENTS}/a")).await, 404, "NotFound");
    let (_, before) = cluster.post(DEPLOYMENTS, &deployment("a")).await;
    let path = format!("{DEPLOYMENTS}/a?dryRun=All");
    let (_, would) = cluster.patch(&path, "merge-patch+json", &json!({ "spec": { "replicas": 4 } })).await;
    assert_eq!(would["spec"]["replicas"], 4);
    assert_eq!(cluster.delete(&path, &json!({})).await.0, 200);
    assert_eq!(cluster.get(&format!("{DEPLOYMENTS}/a")).await.1, before);
}

#[tokio::test]
async fn lists_are_selected_by_labels_and_fields() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        cluster.post(PODS, &pod(name)).await;
    }
    let running = json!({ "status": { "phase": "Running" } });
    cluster.patch(&format!("{PODS}/b/status"), "merge-patch+json", &running).await;
    let names = async |query: &str| -> Vec<String> {
        let (code, list) = cluster.get(&format!("/api/v1/pods?{query}")).await;
        assert_eq!((code, &list["kind"]), (200, &json!("PodList")), "{list}");
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(names("").await, ["a", "b"]);
    assert_eq!(names("fieldSelector=status.phase%3DRunning").await, ["b"]);
    assert_eq!(names("fieldSelector=metadata.name!%3Db,metadata.namespace=default").await, ["a"]);
    assert_eq!(names("labelSelector=app+in+(x,y)").await, ["a", "b"]);
    assert_eq!(names("labelSelector=!app").await, [""; 0]);
    expect_refusal(&cluster.get(&format!("{PODS}?fieldSelector=spec.nope=1")).await, 400, "BadRequest");
}

#[tokio::test]
async fn a_table_has_a_row_for_each_object() {
    let cluster = Cluster::start().await;
    cluster.post(PODS, &pod("a")).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let request = cluster.http().request(Method::GET, cluster.url(PODS)).bearer_auth(cluster.tokens.admin());
    let answer = request.header("accept", accept).send().await.unwrap().bytes().await.unwrap();
    let table: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(table["kind"], "Table");
    let columns = table["columnDefinitions"].as_array().unwrap();
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(columns.len(), cells.len());
    assert_eq!(cells[..4], [json!("a"), json!("0/1"), json!("Pending"), json!("0")]);
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}
