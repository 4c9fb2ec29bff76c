//! A kind cluster that `cargo xtask e2e` has made and kept, and the programs that run against it.

#![expect(clippy::expect_used, reason = "a test that cannot continue has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::required;
use crate::tool::{Ended, output_of, run};

/// The Locust image that the stages use.
pub const LOCUST: &str = "locustio/locust:2.47.0";

/// A matrix with a step down on every axis. A scenario takes a few seconds, and longer if the machine disturbs
/// it.
pub const DOWN: &str = "\
replicas: [2, 1]
workers: [2, 1]
users: [20, 10]
duration: 4s
max_duration: 30s
warmup: 0s
cooldown: 1s
spawn_rate: 20
";

/// A namespace of the kept kind cluster.
#[derive(Clone, Debug)]
pub struct KeptCluster {
    /// The cluster's name, as kind knows it.
    pub name: String,
    /// The namespace that commands use.
    pub namespace: String,
    /// For results and settings of this namespace.
    pub folder: PathBuf,
    /// The driver's image in the node; empty until `note_images`.
    pub driver_image: String,
    /// The stub's image in the node; empty until `note_images`.
    pub stub_image: String,
}

/// kind, with the engine that `cargo xtask e2e` uses, whatever the user's profile says.
pub fn kind() -> Command {
    let mut command = Command::new("kind");
    command.env("KIND_EXPERIMENTAL_PROVIDER", "docker");
    command
}

/// `cargo xtask e2e` with the kind cluster `name`.
pub fn xtask_e2e(name: &str, results: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(required("E2E_XTASK"));
    command.args(["e2e", "--cluster", "kind", "--name", name, "--node-image", &required("E2E_NODE_IMAGE")]);
    command.arg("--results").arg(results).args(arguments);
    command
}

/// The driver's `deploy` with these images of Locust and of the stub.
pub fn deploy_arguments(locust: &str, stub: &str) -> [String; 7] {
    let (locust, stub) = (format!("locustio/locust={locust}"), format!("fake-inference={stub}"));
    ["deploy", "--overlay", "kind", "--image", &locust, "--image", &stub].map(str::to_owned)
}

impl KeptCluster {
    /// The namespace `default` of the cluster `name`, which need not exist yet.
    pub fn new(name: &str, folder: &Path) -> Self {
        Self {
            name: name.to_owned(),
            namespace: "default".to_owned(),
            folder: folder.to_owned(),
            driver_image: String::new(),
            stub_image: String::new(),
        }
    }

    /// Reads the names of the driver's and the stub's images from what `cargo xtask e2e` has printed.
    ///
    /// # Panics
    /// If it has not named them.
    pub fn note_images(&mut self, printed: &str) {
        let image = |name: &str| {
            let word = printed.split_whitespace().find(|word| word.starts_with(name));
            word.expect("the images are named").to_owned()
        };
        self.driver_image = image("locust-driver:");
        self.stub_image = image("fake-inference:");
    }

    /// Creates an empty namespace, with a folder of its own. It admits only pods that meet the pod security standard
    /// `restricted`.
    ///
    /// # Panics
    /// If it cannot be created.
    #[must_use]
    pub fn create_namespace(&self, namespace: &str) -> Self {
        let folder = self.folder.join(namespace);
        std::fs::create_dir_all(&folder).expect("the folder of the results can be written");
        output_of(&mut self.kubectl_without_namespace(&["create", "namespace", namespace]));
        let restricted = ["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"];
        output_of(&mut self.kubectl_without_namespace(&restricted));
        Self { namespace: namespace.to_owned(), folder, ..self.clone() }
    }

    /// Deploys Locust and the stub.
    pub fn deploy(&self) {
        output_of(&mut self.driver(&deploy_arguments(LOCUST, &self.stub_image)));
    }

    /// The name of the cluster's only node. Docker knows the node as a container of this name.
    pub fn node(&self) -> String {
        format!("{}-control-plane", self.name)
    }

    /// The kubeconfig that `cargo xtask e2e` has written.
    pub fn kubeconfig(&self) -> PathBuf {
        Path::new(&required("E2E_TARGET")).join("e2e").join(&self.name).join("kubeconfig")
    }

    /// Writes a settings file into this namespace's folder, and returns its path.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn settings(&self, text: &str) -> String {
        let path = self.folder.join("matrix.yaml");
        std::fs::write(&path, text).expect("the folder of the results can be written");
        path.display().to_string()
    }

    /// The node's own kubectl, in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Command {
        self.kubectl_without_namespace(&[&["--namespace", self.namespace.as_str()], arguments].concat())
    }

    /// The node's own kubectl, for objects of the whole cluster and of other namespaces.
    pub fn kubectl_without_namespace(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["exec", &self.node(), "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"]);
        command.args(arguments);
        command
    }

    /// Applies an object, in this namespace unless it belongs to no namespace.
    pub fn apply(&self, object: &Value) {
        // As an argument, because programs of the tests have no standard input.
        let apply = "printf %s \"$2\" | kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace \"$1\" apply -f -";
        let mut command = Command::new("docker");
        command.args(["exec", &self.node(), "sh", "-c", apply, "sh", &self.namespace, &object.to_string()]);
        output_of(&mut command);
    }

    /// The driver, started outside the cluster, in this namespace.
    pub fn driver<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        self.driver_through(&self.kubeconfig(), arguments)
    }

    /// The same, with another kubeconfig.
    pub fn driver_through<S: AsRef<str>>(&self, kubeconfig: &Path, arguments: &[S]) -> Command {
        let mut command = Command::new(required("E2E_DRIVER"));
        command.arg("--kubeconfig").arg(kubeconfig).args(["--namespace", &self.namespace]);
        command.args(arguments.iter().map(AsRef::as_ref));
        command
    }

    /// The driver's `run` with these settings, started outside the cluster.
    pub fn driver_run(&self, matrix: &str, results: &Path) -> Command {
        let mut command = self.driver(&["run", "--config", matrix, "--cluster-kind", "kind", "--results"]);
        command.arg(results);
        command
    }

    /// The driver's `job` with these settings.
    pub fn driver_job(&self, matrix: &str) -> Command {
        let image = self.driver_image.as_str();
        self.driver(&["job", "--driver-image", image, "--cluster-kind", "kind", "--config", matrix])
    }

    /// Waits until a Deployment has been rolled out.
    ///
    /// # Panics
    /// If that takes longer than a minute.
    pub fn wait_for_rollout(&self, deployment: &str) {
        output_of(&mut self.kubectl(&["rollout", "status", deployment, "--timeout=60s"]));
    }
}

/// Runs a command that must end with this exit code and print all of these words.
///
/// # Panics
/// If it does not.
pub fn assert_refused(command: &mut Command, code: i32, words: &[&str]) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(code), "{command:?}: {}", ended.err);
    for word in words {
        assert!(ended.err.contains(word), "{command:?}: no '{word}' in: {}", ended.err);
    }
    ended
}
