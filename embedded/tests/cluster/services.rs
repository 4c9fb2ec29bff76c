//! Services: which pods receive connections.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::support::{Cluster, eventually};

/// Not a test: pods run this binary as their program. It answers every connection with the name of its pod.
#[test]
fn answer_in_a_pod() {
    let (Ok(address), Ok(name)) = (std::env::var("ANSWER_AT"), std::env::var("HOSTNAME")) else { return };
    let listener = std::net::TcpListener::bind(address).unwrap();
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(name.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0; 1]);
    }
}

async fn cluster_with_service(replicas: u32) -> (Cluster, String) {
    let program = std::env::current_exe().unwrap();
    let cluster = Cluster::start_with(&["--image", &format!("answer={}", program.display())]).await;
    cluster
        .create::<Service>(json!({
            "metadata": { "name": "web" },
            "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": "answers" }] },
        }))
        .await;
    let probe = json!({ "tcpSocket": { "port": "answers" }, "periodSeconds": 1 });
    cluster
        .create::<Deployment>(json!({
            "metadata": { "name": "web" },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": "web" } },
                "template": {
                    "metadata": { "labels": { "app": "web" } },
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{
                            "name": "main",
                            "image": "answer",
                            "args": ["--exact", "services::answer_in_a_pod"],
                            "env": [{ "name": "ANSWER_AT", "value": "0.0.0.0:7000" }],
                            "ports": [{ "name": "answers", "containerPort": 7000 }],
                            "readinessProbe": probe,
                        }],
                    },
                },
            },
        }))
        .await;
    let ready = |object: &serde_json::Value| object["status"]["readyReplicas"] == replicas;
    cluster.await_object::<Deployment>("web", ready).await;
    let service =
        cluster.await_object::<Service>("web", |service| service["spec"]["clusterIP"].is_string()).await;
    let address = format!("{}:80", service["spec"]["clusterIP"].as_str().unwrap());
    (cluster, address)
}

async fn ask(address: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let mut name = String::new();
    stream.read_to_string(&mut name).await.map_err(|error| error.to_string())?;
    Ok(name)
}

#[tokio::test]
async fn all_ready_pods_receive_equally_many_connections() {
    let (_cluster, address) = cluster_with_service(3).await;
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    eventually(|| async { ask(&address).await }).await;
    for _ in 0..300 {
        *counts.entry(ask(&address).await.unwrap()).or_default() += 1;
    }
    // Expected: 100 of each, with a standard deviation of 8.
    assert!(counts.len() == 3 && counts.values().all(|count| (60..=140).contains(count)), "{counts:?}");
}

#[tokio::test]
async fn without_a_ready_pod_connections_are_refused() {
    let (cluster, address) = cluster_with_service(1).await;
    let name = eventually(|| async { ask(&address).await }).await;
    assert!(name.starts_with("web-"), "{name}");
    let none = Patch::Merge(json!({ "spec": { "replicas": 0 } }));
    cluster.api::<Deployment>().patch("web", &PatchParams::default(), &none).await.unwrap();
    cluster.await_gone::<Pod>(&name).await;
    let problem = eventually(|| async {
        match ask(&address).await {
            Ok(name) => Err(format!("{name} answers")),
            Err(problem) => Ok(problem),
        }
    })
    .await;
    assert!(problem.contains("refused"), "{problem}");
    let one = Patch::Merge(json!({ "spec": { "replicas": 1 } }));
    cluster.api::<Deployment>().patch("web", &PatchParams::default(), &one).await.unwrap();
    let again = eventually(|| async { ask(&address).await }).await;
    assert_ne!(again, name, "a new pod answers at the same address of the service");
}
