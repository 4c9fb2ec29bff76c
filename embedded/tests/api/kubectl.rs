//! Tests with the real `kubectl`, if it is installed.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Cluster, PODS, pod};

struct Kubectl {
    folder: tempfile::TempDir,
}

impl Kubectl {
    /// `None` if there is no `kubectl`. The reason is printed.
    fn find(cluster: &Cluster) -> Option<Self> {
        let version = Command::new("kubectl").args(["version", "--client"]).stdin(Stdio::null()).output();
        match version {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                eprintln!("skipped: kubectl version: {}", String::from_utf8_lossy(&output.stderr));
                return None;
            }
            Err(error) => {
                eprintln!("skipped: kubectl: {error}");
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kubeconfig"), &cluster.kubeconfig).unwrap();
        Some(Self { folder })
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new("kubectl");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        command.current_dir(root).arg("--kubeconfig").arg(self.folder.path().join("kubeconfig"));
        command.arg(format!("--cache-dir={}", self.folder.path().join("cache").display()));
        command.args(args.split_whitespace()).stdin(Stdio::null());
        command
    }

    /// Returns success, stdout and stderr.
    async fn run(&self, args: &str) -> (bool, String, String) {
        let mut command = self.command(args);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    async fn ok(&self, args: &str) -> String {
        let (success, stdout, stderr) = self.run(args).await;
        assert!(success, "kubectl {args}: {stderr}");
        stdout
    }

    async fn fails(&self, args: &str) -> String {
        let (success, stdout, stderr) = self.run(args).await;
        assert!(!success, "kubectl {args}: {stdout}");
        stderr
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manifests_can_be_applied_twice_scaled_and_deleted() {
    let cluster = Cluster::start().await;
    let Some(kubectl) = Kubectl::find(&cluster) else { return };
    kubectl.ok("apply --server-side -k manifests/kind").await;
    let versions =
        "get deploy,svc,cm,sa,role,rolebinding,lease -o jsonpath={.items[*].metadata.resourceVersion}";
    let before = kubectl.ok(versions).await;
    assert_eq!(before.split(' ').count(), 23);
    kubectl.ok("apply --server-side -k manifests/kind").await;
    assert_eq!(kubectl.ok(versions).await, before);
    kubectl.ok("apply --server-side -f manifests/job/locust-driver-job.yaml").await;
    assert!(kubectl.ok("get jobs").await.contains("locust-load-test-matrix   Running   0/1"));
    kubectl.ok("apply --server-side -k manifests/weekly").await;
    assert!(kubectl.ok("get cronjobs").await.contains("0 2 * * 0"));

    kubectl.ok("scale deployment inference --replicas=3").await;
    assert_eq!(kubectl.ok("get deploy inference -o jsonpath={.spec.replicas}").await, "3");
    let conflict = kubectl.fails("apply --server-side -k manifests/kind").await;
    assert!(conflict.contains("conflict with \"kubectl\" with subresource \"scale\""), "{conflict}");
    let other =
        kubectl.fails("apply --server-side --field-manager=other -f manifests/stub/inference.yaml").await;
    assert!(
        other.contains(
            "conflicts with \"kubectl\":\n- .spec.template.spec.containers[name=\"inference\"].resources"
        ),
        "{other}"
    );
    kubectl.ok("apply --server-side --force-conflicts -k manifests/kind").await;
    assert_eq!(kubectl.ok("get deploy inference -o jsonpath={.spec.replicas}").await, "1");

    assert!(kubectl.ok("get deployments -o wide").await.contains("locustio/locust:2.46.6"));
    assert!(
        kubectl.ok("get deployment inference -o yaml").await.contains("terminationGracePeriodSeconds: 10")
    );
    let described = kubectl.ok("describe deployment locust-worker").await;
    assert!(described.contains("2 desired"), "{described}");
    kubectl.ok("delete all,cm,sa,role,rolebinding -l app=locust").await;
    let rest = kubectl.ok("get all,cm -o name").await;
    assert_eq!(
        rest.lines().filter(|line| line.contains("locust-") && !line.contains("results")).count(),
        0,
        "{rest}"
    );
    assert!(rest.contains("configmap/locust-load-test-results-0"), "{rest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_side_apply_and_patching_commands_work() {
    let cluster = Cluster::start().await;
    let Some(kubectl) = Kubectl::find(&cluster) else { return };
    kubectl.ok("apply -k manifests/stub").await;
    let again = kubectl.ok("apply -k manifests/stub").await;
    assert_eq!(again.matches("unchanged").count(), 2, "{again}");
    kubectl.ok("set image deployment/inference inference=other:1").await;
    kubectl.ok("set env deployment/inference NEW=1").await;
    kubectl.ok("rollout restart deployment/inference").await;
    let template = kubectl.ok("get deployment inference -o jsonpath={.spec.template}").await;
    assert!(
        template.contains("other:1") && template.contains("restartedAt") && template.contains("\"NEW\""),
        "{template}"
    );
    assert_eq!(kubectl.ok("get deployment inference -o jsonpath={.metadata.generation}").await, "4");
    kubectl.ok("label deployment inference x=y").await;
    let invalid = kubectl.fails("patch deployment inference -p {\"spec\":{\"replicas\":-1}}").await;
    assert!(invalid.contains("must be greater than or equal to 0"), "{invalid}");
    let waiting = kubectl.fails("rollout status deployment/inference --timeout=1s").await;
    assert!(waiting.contains("timed out"), "{waiting}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_can_be_described_awaited_and_watched() {
    let cluster = Cluster::start().await;
    let Some(kubectl) = Kubectl::find(&cluster) else { return };
    let (_, created) = cluster.post(PODS, &pod("a")).await;
    let event = json!({
        "metadata": { "name": "a.1" }, "reason": "Scheduled", "message": "assigned to a node", "type": "Normal",
        "involvedObject": { "kind": "Pod", "name": "a", "namespace": "default", "uid": created["metadata"]["uid"] },
        "count": 1,
    });
    cluster.post("/api/v1/namespaces/default/events", &event).await;
    assert!(kubectl.ok("describe pod a").await.contains("assigned to a node"));
    assert!(kubectl.ok("get events").await.contains("pod/a"));

    // The thread ends when the pod is shown as Running.
    let mut watch = kubectl.command("get pods -w").stdout(Stdio::piped()).spawn().unwrap();
    let stdout = watch.stdout.take().unwrap();
    let lines = tokio::task::spawn_blocking(move || {
        use std::io::{BufRead, BufReader};
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let mut shown = Vec::new();
        for line in lines {
            let done = line.contains("Running");
            shown.push(line);
            if done {
                break;
            }
        }
        shown
    });
    let waiting = {
        let mut command = kubectl.command("wait pod/a --for=condition=Ready --timeout=60s");
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let ready =
        json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
    cluster.patch(&format!("{PODS}/a/status"), "merge-patch+json", &ready).await;
    assert!(waiting.await.unwrap().status.success());
    // A watch that began before the change shows the old state first, one that began after it does not.
    let running = lines.await.unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(running.iter().any(|line| line.starts_with("a ") && line.contains("Running")), "{running:?}");
    kubectl.ok("delete pod a").await;
    let error = kubectl.fails("get pod a").await;
    assert!(error.contains("pods \"a\" not found"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_of_a_service_account_are_shown() {
    let cluster = Cluster::start().await;
    let Some(kubectl) = Kubectl::find(&cluster) else { return };
    kubectl.ok("apply --server-side -f manifests/job/locust-driver-job.yaml").await;
    let robot = "--as=system:serviceaccount:default:locust-driver";
    let list = kubectl.ok(&format!("auth can-i --list {robot}")).await;
    assert!(list.contains("deployments.apps/scale"), "{list}");
    assert_eq!(kubectl.ok(&format!("auth can-i delete pods {robot}")).await, "yes\n");
    assert!(kubectl.fails(&format!("auth can-i create pods {robot}")).await.is_empty());
    let refused = kubectl.fails(&format!("get secrets {robot}")).await;
    assert!(refused.contains("User \"system:serviceaccount:default:locust-driver\" cannot list resource \"secrets\" in API group \"\" in the namespace \"default\""), "{refused}");
    assert_eq!(
        kubectl.ok("create token locust-driver").await.trim(),
        cluster.tokens.service_account("default", "locust-driver").unwrap()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simple_objects_can_be_created_by_commands() {
    let cluster = Cluster::start().await;
    let Some(kubectl) = Kubectl::find(&cluster) else { return };
    for create in [
        "namespace n",
        "configmap c --from-literal=a=b",
        "secret generic s --from-literal=a=b",
        "serviceaccount robot",
        "role r --verb=get,list --resource=pods,deployments.apps --resource-name=x",
        "rolebinding b --role=r --serviceaccount=default:robot",
        "deployment d --image=i:1 --replicas=2 --port=80",
        "job j --image=i:1 -- echo done",
    ] {
        kubectl.ok(&format!("create {create}")).await;
    }
    assert_eq!(kubectl.ok("get secret s -o jsonpath={.data.a}").await, "Yg==");
    assert_eq!(kubectl.ok("get deployment d -o jsonpath={.spec.replicas}").await, "2");
    assert_eq!(
        kubectl.ok("get job j -o jsonpath={.spec.template.spec.containers[0].command}").await,
        r#"["echo","done"]"#
    );
    let robot = "--as=system:serviceaccount:default:robot";
    assert_eq!(kubectl.ok(&format!("auth can-i get pods/x {robot}")).await, "yes\n");
    let refused = kubectl.fails("create service clusterip e --tcp=80:80").await;
    assert!(refused.contains("send JSON or YAML"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_features_are_reported() {
    let cluster = Cluster::start().await;
    let Some(kubectl) = Kubectl::find(&cluster) else { return };
    cluster.post(PODS, &pod("a")).await;
    let ready = json!({ "status": { "phase": "Running" } });
    cluster.patch(&format!("{PODS}/a/status"), "merge-patch+json", &ready).await;
    let exec = kubectl.fails("exec a -- true").await;
    assert!(exec.contains("NotFound") || exec.contains("could not find"), "{exec}");
    let set = kubectl.fails("get daemonsets").await;
    assert!(set.contains("doesn't have a resource type \"daemonsets\""), "{set}");
}
