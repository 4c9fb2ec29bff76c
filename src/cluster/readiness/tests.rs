//! Statuses as a real cluster wrote them.

use super::*;

fn deployment(spec: u32, observed: i64, counts: u32) -> Deployment {
    serde_saphyr::from_str(&format!(
        r"
metadata: {{name: inference, generation: 4}}
spec: {{replicas: {spec}, selector: {{matchLabels: {{app: inference}}}}, template: {{}}}}
status:
  observedGeneration: {observed}
  replicas: {counts}
  updatedReplicas: {counts}
  readyReplicas: {counts}
  availableReplicas: {counts}
  conditions:
  - {{type: Available, status: 'True'}}
  - {{type: Progressing, status: 'True', reason: NewReplicaSetAvailable}}
"
    ))
    .unwrap()
}

fn pod(yaml: &str) -> Pod {
    serde_saphyr::from_str(yaml).unwrap()
}

fn ready_pod() -> Pod {
    pod(
        "{metadata: {name: inference-1}, status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}",
    )
}

fn waiting_pod(reason: &str, restarts: i32) -> Pod {
    pod(&format!(
        r"
metadata: {{name: inference-1}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'True'}}, {{type: Ready, status: 'False', reason: ContainersNotReady}}]
  containerStatuses:
  - name: inference
    image: fake-inference:1
    imageID: ''
    ready: false
    restartCount: {restarts}
    state: {{waiting: {{reason: {reason}, message: back-off}}}}
    lastState: {{terminated: {{exitCode: 3}}}}
"
    ))
}

fn unschedulable_pod() -> Pod {
    pod(r"
metadata: {name: inference-2}
status:
  phase: Pending
  conditions:
  - {type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/1 nodes are available: 1 Insufficient cpu.'}
")
}

#[test]
fn ready_ok() {
    assert_eq!(assess(Some(&deployment(2, 4, 2)), &[ready_pod(), ready_pod()], 2), Assessment::Ready);
}

#[test]
fn ready_not_yet_observed() {
    assert!(matches!(
        assess(Some(&deployment(2, 3, 2)), &[ready_pod(), ready_pod()], 2),
        Assessment::NotYet(_)
    ));
}

#[test]
fn ready_not_yet_scaled() {
    let stale = deployment(1, 4, 1);
    assert!(
        matches!(assess(Some(&stale), &[ready_pod()], 2), Assessment::NotYet(words) if words.contains("not 2"))
    );
}

#[test]
fn ready_missing() {
    assert!(matches!(assess(None, &[], 1), Assessment::NotYet(_)));
}

#[test]
fn a_deployment_with_a_terminating_pod_is_not_ready() {
    let mut terminating = ready_pod();
    terminating.metadata.deletion_timestamp =
        serde_json::from_value(serde_json::json!("2026-01-01T00:00:00Z")).unwrap();
    let seen = assess(Some(&deployment(1, 4, 1)), &[ready_pod(), terminating], 1);
    assert_eq!(seen, Assessment::NotYet("1 of 1 pods ready, 1 terminating".into()));
}

#[test]
fn a_starting_pod_is_not_ready_and_its_reason_is_shown() {
    let seen = assess(Some(&deployment(1, 4, 0)), &[waiting_pod("ContainerCreating", 0)], 1);
    assert_eq!(seen, Assessment::NotYet("0 of 1 pods ready (ContainerCreating)".into()));
}

#[test]
fn an_unschedulable_pod_is_unplaced_unless_another_is_terminating() {
    let seen = assess(Some(&deployment(2, 4, 1)), &[ready_pod(), unschedulable_pod()], 2);
    assert!(matches!(seen, Assessment::Unplaced(words) if words.contains("Insufficient cpu")));
    let mut terminating = ready_pod();
    terminating.metadata.deletion_timestamp =
        serde_json::from_value(serde_json::json!("2026-01-01T00:00:00Z")).unwrap();
    let seen = assess(Some(&deployment(2, 4, 1)), &[terminating, unschedulable_pod()], 2);
    assert!(matches!(seen, Assessment::NotYet(_)));
}

#[test]
fn an_exceeded_quota_counts_as_unplaced() {
    let mut full = deployment(2, 4, 1);
    let condition =
        serde_json::json!({"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"});
    full.status
        .as_mut()
        .unwrap()
        .conditions
        .as_mut()
        .unwrap()
        .push(serde_json::from_value(condition).unwrap());
    assert_eq!(assess(Some(&full), &[ready_pod()], 2), Assessment::Unplaced("exceeded quota: small".into()));
}

/// A pod that cannot pull `pod_image`, and a Deployment whose template has `template_image`.
fn pod_without_image(pod_image: &str, template_image: &str) -> (Pod, Deployment) {
    let mut pod = waiting_pod("ErrImagePull", 0);
    pod.spec = serde_json::from_value(serde_json::json!({
        "containers": [{ "name": "inference", "image": pod_image, "volumeMounts": [{ "name": "token", "mountPath": "/t" }] }],
    }))
    .unwrap();
    let mut deployment = deployment(1, 4, 0);
    deployment.spec.as_mut().unwrap().template = serde_json::from_value(serde_json::json!({
        "metadata": { "labels": { "app": "inference" } },
        "spec": { "containers": [{ "name": "inference", "image": template_image }] },
    }))
    .unwrap();
    pod.metadata.labels = Some([("app".to_owned(), "inference".to_owned())].into());
    (pod, deployment)
}

#[test]
fn a_pod_of_an_earlier_template_that_cannot_start_does_not_make_the_deployment_broken() {
    let (pod, deployment) = pod_without_image("nowhere.invalid/none:1", "fake-inference:2");
    let seen = assess(Some(&deployment), &[pod], 1);
    assert!(matches!(seen, Assessment::NotYet(words) if words.contains("ErrImagePull")));

    let (pod, mut deployment) = pod_without_image("fake-inference:2", "fake-inference:2");
    assert!(matches!(assess(Some(&deployment), std::slice::from_ref(&pod), 1), Assessment::Broken(_)));
    // `kubectl rollout restart` changes only an annotation of the template.
    let metadata = deployment.spec.as_mut().unwrap().template.metadata.as_mut().unwrap();
    metadata.annotations = Some([("restartedAt".to_owned(), "now".to_owned())].into());
    assert!(matches!(assess(Some(&deployment), &[pod], 1), Assessment::NotYet(_)));
}

#[test]
fn a_pod_altered_by_a_webhook_counts_once_only_updated_pods_remain() {
    let (pod, mut deployment) = pod_without_image("mirror.example/fake-inference:2", "fake-inference:2");
    assert!(matches!(assess(Some(&deployment), std::slice::from_ref(&pod), 1), Assessment::NotYet(_)));
    deployment.status.as_mut().unwrap().updated_replicas = Some(1);
    assert!(matches!(assess(Some(&deployment), &[pod], 1), Assessment::Broken(_)));
}

#[test]
fn crash_loops_and_failed_image_pulls_are_broken() {
    for reason in ["ImagePullBackOff", "ErrImageNeverPull", "CreateContainerConfigError"] {
        let seen = assess(Some(&deployment(1, 4, 0)), &[waiting_pod(reason, 0)], 1);
        assert!(
            matches!(seen, Assessment::Broken(words) if words.contains(reason) && words.contains("fake-inference:1"))
        );
    }
    let once = assess(Some(&deployment(1, 4, 0)), &[waiting_pod("CrashLoopBackOff", 1)], 1);
    assert!(matches!(once, Assessment::NotYet(_)));
    let again = assess(Some(&deployment(1, 4, 0)), &[waiting_pod("CrashLoopBackOff", 3)], 1);
    assert!(matches!(again, Assessment::Broken(words) if words.contains("last exit code 3")));
}
