//! The driver lists the changes that it would make in a cluster, makes exactly these, and undoes them.

use std::path::Path;
use std::process::Command;

use e2e::required;
use e2e::tool::{output_of, run};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Somebody else has objects with the names of ours. They are refused and left as they are, and nothing else is
/// created.
pub(crate) fn never_touch_foreign_objects(cluster: &Cluster) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let foreign = runtime.block_on(Foreign::create(&cluster.kubeconfig()));
    let before = runtime.block_on(foreign.list());
    let driver = |words: &[&str]| {
        let mut command = Command::new(required("E2E_DRIVER"));
        run(command.arg("--kubeconfig").arg(cluster.kubeconfig()).args(words))
    };
    for words in [["deploy", "--overlay", "kind"].as_slice(), &["deploy", "--overlay", "kind", "--dry-run"]] {
        let refused = driver(words);
        assert_eq!(refused.code, Some(3), "{refused:?}");
        for name in ["Service/inference (people created it)", "ConfigMap/locust-scripts (people created it)"]
        {
            assert!(refused.err.contains(name), "{refused:?}");
        }
        assert!(refused.err.contains("nothing was applied"), "{refused:?}");
    }
    for words in [["cleanup", "--results", "--dry-run"].as_slice(), &["cleanup", "--results"]] {
        let cleaned = driver(words);
        assert_eq!((cleaned.code, cleaned.out.as_str()), (Some(0), ""), "{cleaned:?}");
        for name in
            ["left alone: Service/inference, because", "left alone: ConfigMap/locust-scripts, because"]
        {
            assert!(cleaned.err.contains(name), "{cleaned:?}");
        }
    }
    assert_eq!(runtime.block_on(foreign.list()), before);
    runtime.block_on(foreign.delete());
}

struct Foreign {
    services: Api<Service>,
    maps: Api<ConfigMap>,
}

impl Foreign {
    async fn create(kubeconfig: &Path) -> Self {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let foreign =
            Self { services: Api::default_namespaced(client.clone()), maps: Api::default_namespaced(client) };
        let people = PostParams { field_manager: Some("people".into()), ..PostParams::default() };
        let labels = json!({ "app": "inference", "app.kubernetes.io/managed-by": "locust-matrix" });
        let service = json!({
            "metadata": { "name": "inference", "labels": labels },
            "spec": { "selector": { "app": "shop" }, "ports": [{ "port": 80 }] },
        });
        foreign.services.create(&people, &serde_json::from_value(service).unwrap()).await.unwrap();
        let map = json!({ "metadata": { "name": "locust-scripts" }, "data": { "locustfile.py": "pass" } });
        foreign.maps.create(&people, &serde_json::from_value(map).unwrap()).await.unwrap();
        foreign
    }

    /// All Services and ConfigMaps of the namespace, without what the cluster sets a moment after their creation.
    async fn list(&self) -> Vec<Value> {
        let all = ListParams::default();
        let services = self.services.list(&all).await.unwrap().items.into_iter().map(|one| {
            let spec = one.spec.unwrap();
            json!({ "metadata": { "name": one.metadata.name, "uid": one.metadata.uid },
                    "labels": one.metadata.labels, "selector": spec.selector, "ports": spec.ports })
        });
        let maps = self.maps.list(&all).await.unwrap().items.into_iter().map(|one| json!(one));
        services.chain(maps).collect()
    }

    async fn delete(&self) {
        self.services.delete("inference", &DeleteParams::default()).await.unwrap();
        self.maps.delete("locust-scripts", &DeleteParams::default()).await.unwrap();
    }
}

pub(crate) fn are_shown_made_and_removed(cluster: &Cluster) {
    let driver = |words: &[&str]| {
        let mut command = Command::new(required("E2E_DRIVER"));
        command.arg("--kubeconfig").arg(cluster.kubeconfig()).args(words);
        command
    };
    let stub = ["--overlay", "stub", "--image", "fake-inference=fake-inference:1"];
    let with = |words: &[&str], stub: &[&str]| output_of(&mut driver(&[words, stub].concat()));

    let planned = with(&["plan", "--replicas", "1,2", "--workers", "1", "--users", "5", "--dry-run"], &stub);
    assert!(planned.contains("2 scenarios") && planned.contains("\n+ Deployment/inference\n"), "{planned}");
    let none = output_of(&mut driver(&["cleanup", "--dry-run"]));
    assert!(!none.contains("Deployment"), "showing changed nothing: {none}");

    with(&["deploy"], &stub);
    let same = with(&["deploy", "--dry-run"], &stub);
    assert!(same.lines().count() >= 2 && same.lines().all(|line| line.starts_with("= ")), "{same}");
    let other = ["--overlay", "stub", "--image", "fake-inference=fake-inference:2"];
    let changed = with(&["deploy", "--dry-run"], &other);
    let image = r#"spec.template.spec.containers[0].image: "fake-inference:1" → "fake-inference:2""#;
    assert!(changed.contains("~ Deployment/inference\n") && changed.contains(image), "{changed}");
    assert_eq!(with(&["deploy", "--dry-run"], &stub), same, "showing changed nothing");

    let removed = output_of(&mut driver(&["cleanup"]));
    assert!(removed.contains("Deployment/inference"), "{removed}");
    let gone = with(&["plan", "--preset", "quick", "--dry-run"], &stub);
    assert!(gone.contains("+ Deployment/inference"), "{gone}");

    // A cluster that does not answer must not pass for a cluster without objects.
    let nowhere = tempfile::tempdir().unwrap();
    let path = nowhere.path().join("kubeconfig");
    let text = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let server = text.split('"').find(|word| word.starts_with("https://")).unwrap();
    std::fs::write(&path, text.replace(server, "https://127.0.0.1:1")).unwrap();
    let mut away = Command::new(required("E2E_DRIVER"));
    away.arg("--kubeconfig").arg(&path).args(["plan", "--preset", "quick", "--dry-run"]);
    let ended = run(&mut away);
    assert!(matches!(ended.code, Some(3 | 4)) && ended.err.contains("127.0.0.1:1"), "{ended:?}");
}
