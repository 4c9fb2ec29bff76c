//! The percentiles of a record against raw samples from the client's side.

use std::path::Path;
use std::process::Command;

use e2e::required;
use e2e::results::{Span, only_record, only_run, succeeded_histogram};
use e2e::samples::{self, DUMP, percentile, sorted_ms};
use e2e::tool::{output_of, say};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use records::Histogram;
use serde_json::json;

use crate::cluster::Cluster;

/// Sets a variable of the only container of a Deployment, as `kubectl set env` does.
async fn set_env(client: &Client, deployment: &str, container: &str, (name, value): (&str, &str)) {
    let container = json!({ "name": container, "env": [{ "name": name, "value": value }] });
    let patch = json!({ "spec": { "template": { "spec": { "containers": [container] } } } });
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    deployments.patch(deployment, &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
}

/// A fast service has the median of the raw samples, within 1 % and 0.05 ms.
pub(crate) async fn medians_are_those_of_the_raw_samples(cluster: &Cluster, folder: &Path) {
    let driver = || {
        let mut command = Command::new(required("E2E_DRIVER"));
        command.arg("--kubeconfig").arg(cluster.kubeconfig());
        command
    };
    output_of(driver().args(["deploy", "--overlay", "kind", "--image", "fake-inference=fake-inference:1"]));
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    for service_ms in ["1.4", "4.2", "37"] {
        let (dump, results) =
            (folder.join(format!("samples-{service_ms}")), folder.join(format!("results-{service_ms}")));
        set_env(&client, "inference", "inference", ("FAKE_INFERENCE_SERVICE_MS", service_ms)).await;
        set_env(&client, "locust-worker", "locust", (DUMP, dump.to_str().unwrap())).await;
        let mut run = driver();
        run.args(["run", "--cluster-kind", "embedded", "--replicas", "1", "--workers", "1", "--users", "1"]);
        run.args([
            "--duration",
            "5s",
            "--max-duration",
            "5s",
            "--warmup",
            "0s",
            "--cooldown",
            "0s",
            "--results",
        ]);
        output_of(run.arg(&results));

        let raw = sorted_ms(&samples::read(&dump)["/predict"]);
        let exact = percentile(&raw, 50);
        let record = only_record(&only_run(&results));
        let histogram = succeeded_histogram(&record, Span::WholeRun, "/predict");
        let histogram: Histogram = serde_json::from_value(histogram).unwrap();
        let ours = histogram.quantile(0.5).unwrap() as f64 / 1000.0;
        say(&format!("{service_ms} ms: P50 {ours} ms, {exact:.3} ms in {} raw samples", raw.len()));
        assert_eq!(histogram.count(), raw.len() as u64, "{service_ms} ms");
        assert!(raw.len() > 50, "{service_ms} ms: {} samples", raw.len());
        assert!(exact >= service_ms.parse().unwrap(), "{service_ms} ms: {exact} ms is less than the service");
        assert!((ours - exact).abs() <= 0.01 * exact + 0.05, "{ours} ms, {exact} ms in raw samples");
    }
}
