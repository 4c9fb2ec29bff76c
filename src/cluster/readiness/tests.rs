//! Statuses as a real cluster wrote them.

use super::*;
use serde_json::json;

/// The moment of all these assessments.
const NOW: &str = "2026-01-01T00:00:00Z";

/// Assesses a Deployment.
fn now() -> Times {
    let now = NOW.parse().unwrap();
    Times { without_load_from: now, now }
}

fn assess(object: Option<&DynamicObject>, pods: &[Pod], replicas: u32) -> Assessment {
    super::assess(&kinds::deployments(), object, pods, replicas, now())
}

fn deployment(spec: u32, observed: i64, counts: u32) -> DynamicObject {
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
    assert!(matches!(assess(Some(&stale), &[ready_pod()], 2), Assessment::Rescaled(1)));
}

#[test]
fn ready_missing() {
    assert!(matches!(assess(None, &[], 1), Assessment::NotYet(_)));
}

/// A ready pod that is being deleted, and may take until `by`.
fn terminating_pod(by: &str) -> Pod {
    let mut pod = ready_pod();
    pod.metadata.deletion_timestamp = serde_json::from_value(json!(by)).unwrap();
    pod
}

#[test]
fn a_deployment_with_a_terminating_pod_is_not_ready_and_says_how_long_the_pod_may_take() {
    let seen = |by: &str| assess(Some(&deployment(1, 4, 1)), &[ready_pod(), terminating_pod(by)], 1);
    let expected = "1 of 1 pods ready, 1 terminating for up to 231 s more (their grace period): inference-1";
    assert_eq!(seen("2026-01-01T00:03:51Z"), Assessment::NotYet(expected.into()));
    let late = seen("2025-12-31T23:59:00Z");
    assert!(
        matches!(late, Assessment::NotYet(words) if words.contains("although their grace period is over"))
    );
}

#[test]
fn a_starting_pod_is_not_ready_and_its_reason_is_shown() {
    let seen = assess(Some(&deployment(1, 4, 0)), &[waiting_pod("ContainerCreating", 0)], 1);
    let expected = "0 of 1 pods ready; inference-1: container inference waits: ContainerCreating";
    assert_eq!(seen, Assessment::NotYet(expected.into()));
}

#[test]
fn a_pod_that_is_over_is_no_replica() {
    let evicted = pod("{metadata: {name: inference-0}, status: {phase: Failed, reason: Evicted}}");
    assert_eq!(assess(Some(&deployment(1, 4, 1)), &[evicted, ready_pod()], 1), Assessment::Ready);
}

#[test]
fn availability_is_not_waited_for_but_a_rollout_that_it_holds_up_is_named() {
    let mut slow = deployment(1, 4, 1);
    slow.data["spec"]["minReadySeconds"] = json!(240);
    slow.data["status"]["availableReplicas"] = json!(0);
    assert_eq!(assess(Some(&slow), &[ready_pod()], 1), Assessment::Ready);
    slow.data["status"]["updatedReplicas"] = json!(0);
    let seen = assess(Some(&slow), &[ready_pod()], 1);
    assert!(matches!(seen, Assessment::NotYet(words) if words.contains("minReadySeconds: 240")));
}

#[test]
fn a_stateful_set_is_ready_by_its_own_status_and_may_keep_old_pods_on_purpose() {
    let set = |spec: &str, status: &str| -> DynamicObject {
        serde_saphyr::from_str(&format!(
            "metadata: {{name: bert, generation: 2}}\nspec: {spec}\nstatus: {{observedGeneration: 2, {status}}}\n"
        ))
        .unwrap()
    };
    let seen = |object: &DynamicObject| {
        let pods = [ready_pod(), ready_pod()];
        super::assess(&kinds::stateful_sets(), Some(object), &pods, 2, now())
    };
    let counts = "replicas: 2, readyReplicas: 2";
    assert_eq!(seen(&set("{replicas: 2}", &format!("{counts}, updatedReplicas: 2"))), Assessment::Ready);
    assert!(matches!(seen(&set("{replicas: 2}", counts)), Assessment::NotYet(_)), "a rollout goes on");
    for strategy in ["{type: OnDelete}", "{type: RollingUpdate, rollingUpdate: {partition: 1}}"] {
        let spec = format!("{{replicas: 2, updateStrategy: {strategy}}}");
        assert_eq!(seen(&set(&spec, counts)), Assessment::Ready, "{strategy}");
    }
}

#[test]
fn a_custom_kind_is_ready_by_its_pods_and_by_what_its_status_has() {
    let kind = ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk("x.io", "v1", "Rollout"));
    let seen = |text: &str, pods: &[Pod]| {
        let object: DynamicObject = serde_saphyr::from_str(text).unwrap();
        super::assess(&kind, Some(&object), pods, 1, now())
    };
    let bare = "{metadata: {name: bert, generation: 7}, spec: {}}";
    assert_eq!(seen(bare, &[ready_pod()]), Assessment::Ready);
    assert!(matches!(seen(bare, &[]), Assessment::NotYet(_)));
    assert!(matches!(seen(bare, &[ready_pod(), ready_pod()]), Assessment::NotYet(_)));
    // A group of two pods is one replica, as the status counts it.
    let group = "{metadata: {name: bert}, spec: {replicas: 1}, status: {replicas: 1, readyReplicas: 1}}";
    assert_eq!(seen(group, &[ready_pod(), ready_pod()]), Assessment::Ready);
    assert!(matches!(
        seen(group, &[ready_pod(), waiting_pod("ContainerCreating", 0)]),
        Assessment::NotYet(_)
    ));
    // Argo Rollouts write the generation as text.
    let stale =
        "{metadata: {name: bert, generation: 7}, spec: {replicas: 1}, status: {observedGeneration: '6'}}";
    assert!(matches!(seen(stale, &[ready_pod()]), Assessment::NotYet(words) if words.contains("observed")));
    let other = "{metadata: {name: bert}, spec: {replicas: 3}}";
    assert_eq!(seen(other, &[ready_pod()]), Assessment::Rescaled(3));
}

#[test]
fn an_unschedulable_pod_is_unplaced_unless_another_is_terminating() {
    let seen = assess(Some(&deployment(2, 4, 1)), &[ready_pod(), unschedulable_pod()], 2);
    assert!(matches!(seen, Assessment::Unplaced(words) if words.contains("Insufficient cpu")));
    let leaving = terminating_pod("2026-01-01T00:00:30Z");
    let seen = assess(Some(&deployment(2, 4, 1)), &[leaving, unschedulable_pod()], 2);
    assert!(matches!(seen, Assessment::NotYet(_)));
}

#[test]
fn an_exceeded_quota_counts_as_unplaced() {
    let mut full = deployment(2, 4, 1);
    let condition = json!({"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"});
    full.data["status"]["conditions"].as_array_mut().unwrap().push(condition);
    assert_eq!(
        assess(Some(&full), &[ready_pod()], 2),
        Assessment::Refused { problem: "exceeded quota: small".into(), since: None }
    );
}

/// A pod that cannot pull `pod_image`, and a Deployment whose template has `template_image`.
fn pod_without_image(pod_image: &str, template_image: &str) -> (Pod, DynamicObject) {
    let mut pod = waiting_pod("ErrImagePull", 0);
    pod.spec = serde_json::from_value(json!({
        "containers": [{ "name": "inference", "image": pod_image, "volumeMounts": [{ "name": "token", "mountPath": "/t" }] }],
    }))
    .unwrap();
    let mut deployment = deployment(1, 4, 0);
    deployment.data["spec"]["template"] = json!({
        "metadata": { "labels": { "app": "inference" } },
        "spec": { "containers": [{ "name": "inference", "image": template_image }] },
    });
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
    deployment.data["spec"]["template"]["metadata"]["annotations"] = json!({ "restartedAt": "now" });
    assert!(matches!(assess(Some(&deployment), &[pod], 1), Assessment::NotYet(_)));
}

#[test]
fn a_pod_altered_by_a_webhook_counts_once_only_updated_pods_remain() {
    let (pod, mut deployment) = pod_without_image("mirror.example/fake-inference:2", "fake-inference:2");
    assert!(matches!(assess(Some(&deployment), std::slice::from_ref(&pod), 1), Assessment::NotYet(_)));
    deployment.data["status"]["updatedReplicas"] = json!(1);
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
