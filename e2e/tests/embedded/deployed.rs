//! Locust and the stub in an embedded cluster, whose settings a test changes.

use std::path::Path;
use std::process::Command;

use e2e::required;
use e2e::tool::{Ended, output_of, run};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::json;

use crate::cluster::Cluster;

pub(crate) struct Deployed<'a> {
    cluster: &'a Cluster,
    client: Client,
}

impl<'a> Deployed<'a> {
    /// Deploys Locust and the stub.
    pub(crate) async fn to(cluster: &'a Cluster) -> Self {
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let deployed = Self { cluster, client: Client::try_from(config).unwrap() };
        let deploy = ["deploy", "--overlay", "kind", "--image", "fake-inference=fake-inference:1"];
        output_of(deployed.driver().args(deploy));
        deployed
    }

    /// Sets a variable of the only container of a Deployment, as `kubectl set env` does.
    pub(crate) async fn set_env(&self, deployment: &str, container: &str, name: &str, value: &str) {
        let container = json!({ "name": container, "env": [{ "name": name, "value": value }] });
        let patch = json!({ "spec": { "template": { "spec": { "containers": [container] } } } });
        let deployments: Api<Deployment> = Api::default_namespaced(self.client.clone());
        deployments.patch(deployment, &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    }

    /// Talks to the cluster.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Runs the driver with these settings against a service that it did not deploy.
    pub(crate) fn run_foreign(&self, settings: &str, results: &Path) -> Ended {
        self.run_with(settings, results, &["--yes"])
    }

    /// Runs the driver with these settings, and puts the results into `results`.
    pub(crate) fn run(&self, settings: &str, results: &Path) -> Ended {
        self.run_with(settings, results, &[])
    }

    fn run_with(&self, settings: &str, results: &Path, arguments: &[&str]) -> Ended {
        run(&mut self.run_command(settings, results, arguments))
    }

    /// The command that runs the driver with these settings and more arguments.
    pub(crate) fn run_command(&self, settings: &str, results: &Path, arguments: &[&str]) -> Command {
        let matrix = results.with_extension("yaml");
        std::fs::write(&matrix, settings).unwrap();
        let mut driver = self.driver();
        driver.args(["run", "--cluster-kind", "embedded", "--config"]).arg(matrix);
        driver.args(arguments).arg("--results").arg(results);
        driver
    }

    fn driver(&self) -> Command {
        let mut command = Command::new(required("E2E_DRIVER"));
        command.arg("--kubeconfig").arg(self.cluster.kubeconfig());
        command
    }
}
