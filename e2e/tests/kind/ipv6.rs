//! A cluster whose pods, Services and nodes have IPv6 addresses only.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::required;
use e2e::results::{assert_all_valid, assert_exact, only_run, records};
use e2e::tool::{output_of, run};

use e2e::kind::{KeptCluster, LOCUST, kind};

const CONFIG: &str = "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking: {ipFamily: ipv6, apiServerAddress: 127.0.0.1}
";
const MATRIX: &str = "{replicas: [1, 2], workers: [2], users: [8], duration: 3s, max_duration: 30s, warmup: 0s, cooldown: 0s, spawn_rate: 20}";

/// A second kind cluster. Dropping this value deletes the cluster.
struct SixCluster {
    name: String,
    kubeconfig: PathBuf,
}

impl SixCluster {
    fn create(name: String, folder: &Path) -> Self {
        let kubeconfig = folder.join("kubeconfig-of-ipv6");
        let config = folder.join("ipv6.yaml");
        std::fs::write(&config, CONFIG).unwrap();
        let cluster = Self { name, kubeconfig };
        let mut create = cluster.kind(&["create", "cluster", "--wait", "120s", "--image"]);
        create.arg(required("E2E_NODE_IMAGE")).arg("--config").arg(config);
        output_of(create.arg("--kubeconfig").arg(&cluster.kubeconfig));
        cluster
    }

    fn kind(&self, arguments: &[&str]) -> Command {
        let mut command = kind();
        command.args(&arguments[..2]).args(["--name", &self.name]).args(&arguments[2..]);
        command
    }

    fn in_node(&self, script: &str) -> String {
        let node = format!("{}-control-plane", self.name);
        output_of(Command::new("docker").args(["exec", &node, "sh", "-c", script]))
    }
}

impl Drop for SixCluster {
    fn drop(&mut self) {
        run(self.kind(&["delete", "cluster"]).arg("--kubeconfig").arg(&self.kubeconfig));
    }
}

/// Locust, the stub and the Job are deployed, measured, fetched and removed. Each replica has counted exactly the
/// requests that Locust has sent, so that its own address was used, too.
pub(crate) fn a_cluster_with_ipv6_only_is_measured(kept: &KeptCluster) {
    let six = SixCluster::create(format!("{}-six", kept.name), &kept.folder);
    // A node image with a simple network may know the default route of IPv4 only. Then no pod reaches a Service.
    six.in_node("sed -i 's,0\\.0\\.0\\.0/0,::/0,' /etc/cni/net.d/*");
    let kubectl = "kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system";
    six.in_node(&format!("{kubectl} delete pods --selector=k8s-app=kube-dns"));
    six.in_node(&format!("{kubectl} rollout status deployment/coredns --timeout=60s"));
    output_of(&mut six.kind(&["load", "docker-image", &kept.driver_image, &kept.stub_image, LOCUST]));

    let matrix = kept.settings(MATRIX);
    let results = kept.folder.join("ipv6");
    let mut command = Command::new(required("E2E_XTASK"));
    command.env("KUBECONFIG", &six.kubeconfig);
    command.args(["e2e", "--cluster", "existing", "--context", &format!("kind-{}", six.name)]);
    command.args(["--driver-image", &kept.driver_image, "--stub", "--small"]);
    command.args(["--stub-image", &kept.stub_image, "--locust-image", LOCUST, "--config", &matrix]);
    let ended = run(command.arg("--results").arg(&results));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("https://[fd"), "the driver's own way to the API server: {}", ended.err);
    let run_folder = only_run(&results);
    assert_all_valid(&run_folder, 2);
    records(&run_folder).iter().for_each(assert_exact);
}
