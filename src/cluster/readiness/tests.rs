//! Statuses as a cluster wrote them.

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
fn leaving_pods_are_waited_for() {
    let mut leaving = ready_pod();
    leaving.metadata.deletion_timestamp =
        serde_json::from_value(serde_json::json!("2026-01-01T00:00:00Z")).unwrap();
    let seen = assess(Some(&deployment(1, 4, 1)), &[ready_pod(), leaving], 1);
    assert_eq!(seen, Assessment::NotYet("1 of 1 pods ready, 1 leaving".into()));
}

#[test]
fn starting_pods_are_waited_for_with_their_reason() {
    let seen = assess(Some(&deployment(1, 4, 0)), &[waiting_pod("ContainerCreating", 0)], 1);
    assert_eq!(seen, Assessment::NotYet("0 of 1 pods ready, 0 leaving (ContainerCreating)".into()));
}

#[test]
fn a_pod_without_room_is_unplaced_unless_others_leave() {
    let seen = assess(Some(&deployment(2, 4, 1)), &[ready_pod(), unschedulable_pod()], 2);
    assert!(matches!(seen, Assessment::Unplaced(words) if words.contains("Insufficient cpu")));
    let mut leaving = ready_pod();
    leaving.metadata.deletion_timestamp =
        serde_json::from_value(serde_json::json!("2026-01-01T00:00:00Z")).unwrap();
    let seen = assess(Some(&deployment(2, 4, 1)), &[leaving, unschedulable_pod()], 2);
    assert!(matches!(seen, Assessment::NotYet(_)));
}

#[test]
fn a_quota_is_unplaced() {
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

/// A pod that cannot pull its image, and a Deployment of another image.
fn superseded(its_image: &str, wanted: &str) -> (Pod, Deployment) {
    let mut pod = waiting_pod("ErrImagePull", 0);
    pod.spec = serde_json::from_value(serde_json::json!({
        "containers": [{ "name": "inference", "image": its_image, "volumeMounts": [{ "name": "token", "mountPath": "/t" }] }],
    }))
    .unwrap();
    let mut deployment = deployment(1, 4, 0);
    deployment.spec.as_mut().unwrap().template = serde_json::from_value(serde_json::json!({
        "metadata": { "labels": { "app": "inference" } },
        "spec": { "containers": [{ "name": "inference", "image": wanted }] },
    }))
    .unwrap();
    pod.metadata.labels = Some([("app".to_owned(), "inference".to_owned())].into());
    (pod, deployment)
}

#[test]
fn a_broken_pod_of_an_earlier_template_is_waited_out() {
    let (pod, deployment) = superseded("nowhere.invalid/none:1", "fake-inference:2");
    let seen = assess(Some(&deployment), &[pod], 1);
    assert!(matches!(seen, Assessment::NotYet(words) if words.contains("ErrImagePull")));

    let (pod, mut deployment) = superseded("fake-inference:2", "fake-inference:2");
    assert!(matches!(assess(Some(&deployment), std::slice::from_ref(&pod), 1), Assessment::Broken(_)));
    // The same image, and another annotation: what a restart of a rollout sets.
    let metadata = deployment.spec.as_mut().unwrap().template.metadata.as_mut().unwrap();
    metadata.annotations = Some([("restartedAt".to_owned(), "now".to_owned())].into());
    assert!(matches!(assess(Some(&deployment), &[pod], 1), Assessment::NotYet(_)));
}

#[test]
fn a_pod_that_a_webhook_has_changed_is_judged_once_it_is_alone() {
    let (pod, mut deployment) = superseded("mirror.example/fake-inference:2", "fake-inference:2");
    assert!(matches!(assess(Some(&deployment), std::slice::from_ref(&pod), 1), Assessment::NotYet(_)));
    deployment.status.as_mut().unwrap().updated_replicas = Some(1);
    assert!(matches!(assess(Some(&deployment), &[pod], 1), Assessment::Broken(_)));
}

#[test]
fn crash_loops_and_images_that_cannot_be_pulled_are_broken() {
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
