//! Statuses as clusters write them; each differs from the next in what keeps the pod from being ready.

use super::*;

fn pod(spec: &str, status: &str) -> Pod {
    serde_saphyr::from_str(&format!("metadata: {{name: bert-1}}\nspec: {spec}\nstatus: {status}\n")).unwrap()
}

fn container(name: &str, ready: bool, restarts: i32, state: &str) -> String {
    format!(
        "{{name: {name}, image: i:1, imageID: '', ready: {ready}, restartCount: {restarts}, started: true, state: {state}}}"
    )
}

fn words(pod: &Pod) -> String {
    why_not_ready(pod).map(|cause| cause.words).unwrap_or_default()
}

#[test]
fn a_ready_pod_has_no_cause() {
    assert_eq!(
        why_not_ready(&pod("{containers: []}", "{conditions: [{type: Ready, status: 'True'}]}")),
        None
    );
}

#[test]
fn a_failing_probe_is_named_with_what_it_asks() {
    let spec =
        "{containers: [{name: proxy}, {name: bert, readinessProbe: {httpGet: {path: /nope, port: 8080}}}]}";
    let (proxy, bert) =
        (container("proxy", true, 0, "{running: {}}"), container("bert", false, 0, "{running: {}}"));
    let unready = pod(spec, &format!("{{containerStatuses: [{proxy}, {bert}]}}"));
    assert_eq!(words(&unready), "the readiness probe of container bert has not passed (GET :8080/nope)");
    assert_eq!(why_not_ready(&unready).unwrap().evidence, Evidence::Warning);
    // A slow model: its startup probe comes first, and asks something else.
    let spec = "{containers: [{name: bert, startupProbe: {tcpSocket: {port: http}}, readinessProbe: {exec: {command: [a]}}}]}";
    let starting = container("bert", false, 0, "{running: {}}").replace("started: true", "started: false");
    let starting = pod(spec, &format!("{{containerStatuses: [{starting}]}}"));
    assert_eq!(
        words(&starting),
        "the startup probe of container bert has not passed (a connection to port http)"
    );
}

#[test]
fn the_init_container_that_is_not_done_is_named() {
    let spec = "{initContainers: [{name: wait-db}, {name: migrate}], containers: [{name: bert}]}";
    let bert = container("bert", false, 0, "{waiting: {reason: PodInitializing}}");
    let inits = |migrate: &str| {
        let done = container("wait-db", true, 0, "{terminated: {exitCode: 0}}");
        pod(spec, &format!("{{initContainerStatuses: [{done}, {migrate}], containerStatuses: [{bert}]}}"))
    };
    let running = inits(&container("migrate", false, 0, "{running: {}}"));
    assert_eq!(words(&running), "init container migrate runs (2 of 2)");
    let failing = "{name: migrate, image: i:1, imageID: '', ready: false, restartCount: 4, \
                   state: {waiting: {reason: CrashLoopBackOff}}, \
                   lastState: {terminated: {exitCode: 1, reason: Error, message: \"start\\nno such table\\n\"}}}";
    let failing = inits(failing);
    assert_eq!(
        startup_failure(&failing, Timestamp::MIN).unwrap(),
        "pod bert-1: init container migrate crashes again and again \
         (4 restarts, last exit code 1; its last message: no such table)"
    );
    let pulling = inits(&container("migrate", false, 0, "{waiting: {reason: ErrImagePull, message: gone}}"));
    assert_eq!(
        startup_failure(&pulling, Timestamp::MIN).unwrap(),
        "pod bert-1: cannot start init container migrate (image i:1): ErrImagePull: gone"
    );
}

#[test]
fn a_native_sidecar_counts_like_a_container() {
    let spec = "{initContainers: [{name: proxy, restartPolicy: Always, readinessProbe: {grpc: {port: 9}}}], \
                containers: [{name: bert}]}";
    let status = |proxy: &str| {
        let bert = container("bert", true, 0, "{running: {}}");
        pod(spec, &format!("{{initContainerStatuses: [{proxy}], containerStatuses: [{bert}]}}"))
    };
    let unready = status(&container("proxy", false, 0, "{running: {}}"));
    assert_eq!(
        words(&unready),
        "the readiness probe of sidecar proxy has not passed (a gRPC health check on port 9)"
    );
    assert_eq!(restarts(&status(&container("proxy", true, 3, "{running: {}}"))), 3);
    // A plain init container has restarted before the pod served anything.
    let plain = pod(
        "{initContainers: [{name: proxy}], containers: []}",
        &format!(
            "{{initContainerStatuses: [{}]}}",
            container("proxy", true, 3, "{terminated: {exitCode: 0}}")
        ),
    );
    assert_eq!(restarts(&plain), 0);
}

#[test]
fn a_readiness_gate_that_nobody_opens_is_named() {
    let gate = "target-health.lb.example/bert-80";
    let spec = format!("{{readinessGates: [{{conditionType: {gate}}}], containers: [{{name: bert}}]}}");
    let bert = container("bert", true, 0, "{running: {}}");
    let with = |condition: &str| {
        let conditions = format!(
            "[{{type: ContainersReady, status: 'True'}}, {{type: Ready, status: 'False'}}{condition}]"
        );
        pod(&spec, &format!("{{conditions: {conditions}, containerStatuses: [{bert}]}}"))
    };
    assert_eq!(
        words(&with("")),
        format!("its containers are ready, and its readiness gate is not: nobody has set {gate}")
    );
    let shut = with(&format!(", {{type: {gate}, status: 'False', message: target is draining}}"));
    assert!(words(&shut).ends_with(&format!("{gate} is False: target is draining")), "{}", words(&shut));
}

#[test]
fn a_crash_is_the_same_cause_while_the_container_runs_again() {
    let spec = "{containers: [{name: bert, readinessProbe: {httpGet: {port: 1}}}]}";
    let status = |state: &str, restarts: i32| {
        let bert = format!(
            "{{name: bert, image: i:1, imageID: '', ready: false, restartCount: {restarts}, started: true, state: {state}, \
             lastState: {{terminated: {{exitCode: 137, reason: OOMKilled}}}}}}"
        );
        pod(spec, &format!("{{containerStatuses: [{bert}]}}"))
    };
    let (waiting, running) = (status("{waiting: {reason: CrashLoopBackOff}}", 2), status("{running: {}}", 3));
    let (waiting, running) = (why_not_ready(&waiting).unwrap(), why_not_ready(&running).unwrap());
    assert_eq!(waiting.key, running.key);
    assert_eq!((waiting.is_permanent, running.is_permanent), (true, false));
    assert_eq!(
        waiting.words,
        "container bert crashes again and again (2 restarts, last exit code 137, OOMKilled)"
    );
    assert_eq!(waiting.evidence, Evidence::Log("bert".into()));
    let once = why_not_ready(&status("{waiting: {reason: CrashLoopBackOff}}", 1)).unwrap();
    assert!(!once.is_permanent && once.words.contains("is started again"), "{once:?}");
}

/// A service that the load of the scenario before has crashed comes back by itself.
#[test]
fn a_container_that_crashed_under_load_is_given_its_next_start() {
    let began = |started_at: &str| {
        let status = format!(
            "{{containerStatuses: [{{name: bert, image: i:1, imageID: '', ready: false, restartCount: 5, \
             state: {{waiting: {{reason: CrashLoopBackOff}}}}, \
             lastState: {{terminated: {{exitCode: 137, startedAt: '{started_at}'}}}}}}]}}"
        );
        startup_failure(
            &pod("{containers: [{name: bert}]}", &status),
            "2026-01-01T00:01:00Z".parse().unwrap(),
        )
    };
    assert_eq!(began("2026-01-01T00:00:30Z"), None);
    assert!(began("2026-01-01T00:01:10Z").unwrap().contains("crashes again and again"));
}

/// Locust's workers end with 0 when their master leaves, and connect to the next one.
#[test]
fn a_container_that_ends_well_may_do_so_more_often() {
    let is_permanent = |restarts: i32, code: i32| {
        let status = format!(
            "{{containerStatuses: [{{name: locust, image: i:1, imageID: '', ready: false, restartCount: {restarts}, \
             state: {{waiting: {{reason: CrashLoopBackOff}}}}, lastState: {{terminated: {{exitCode: {code}}}}}}}]}}"
        );
        why_not_ready(&pod("{containers: [{name: locust}]}", &status)).unwrap().is_permanent
    };
    assert_eq!(
        [(2, 0), (3, 0), (4, 0)].map(|(restarts, code)| is_permanent(restarts, code)),
        [false, false, true]
    );
    assert!(is_permanent(2, 1));
}

#[test]
fn a_pod_that_has_ended_is_no_replica() {
    assert!(is_over(&pod("{containers: []}", "{phase: Failed, reason: Evicted}")));
    assert!(!is_over(&pod("{containers: []}", "{phase: Running}")));
}

#[test]
fn what_passes_by_itself_is_waited_for() {
    let fails_after = |seconds: i64, reason: &str, message: &str| {
        let state = format!("{{waiting: {{reason: {reason}, message: {message:?}}}}}");
        let started = Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
        let bert = container("bert", false, 0, &state);
        let status = format!("{{startTime: '{started}', containerStatuses: [{bert}]}}");
        startup_failure(&pod("{containers: [{name: bert}]}", &status), Timestamp::MIN).is_some()
    };
    let fails = |reason: &str, message: &str| fails_after(5, reason, message);
    for (reason, message) in [
        ("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition"),
        ("CreateContainerError", "context deadline exceeded"),
        ("ErrImagePull", "unexpected status code 429 Too Many Requests"),
        ("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout"),
        (
            "ImagePullBackOff",
            "Back-off pulling image \"r/i:1\": ErrImagePull: dial tcp 10.0.0.1:443: i/o timeout",
        ),
    ] {
        assert!(!fails(reason, message), "{reason}: {message}");
        assert!(fails_after(40, reason, message), "it does not pass: {reason}: {message}");
    }
    for (reason, message) in [
        ("CreateContainerConfigError", "secret \"s\" not found"),
        ("ErrImagePull", "failed to resolve reference \"r/i:1\": r/i:1: not found"),
        ("ImagePullBackOff", "Back-off pulling image \"r/i:1\": ErrImagePull: r/i:1: not found"),
        ("ImagePullBackOff", "Back-off pulling image \"r/i:1\""),
    ] {
        assert!(fails(reason, message), "{reason}: {message}");
    }
}
