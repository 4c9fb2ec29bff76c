//! The cluster that is kept, and the programs that are used on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::required;
use e2e::tool::{Ended, must, run};

/// A kept kind cluster.
pub(crate) struct Kept<'a> {
    pub(crate) name: &'a str,
    /// For results and settings.
    pub(crate) folder: &'a Path,
    pub(crate) driver_image: String,
    pub(crate) stub_image: String,
}

/// `cargo xtask e2e` on the kind cluster `name`.
pub(crate) fn e2e(name: &str, results: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(required("E2E_XTASK"));
    command.args(["e2e", "--cluster", "kind", "--name", name, "--node-image", &required("E2E_NODE_IMAGE")]);
    command.arg("--results").arg(results).args(arguments);
    command
}

/// A settings file; its path.
pub(crate) fn settings(folder: &Path, text: &str) -> String {
    let path = folder.join("matrix.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

impl<'a> Kept<'a> {
    pub(crate) fn new(name: &'a str, folder: &'a Path) -> Self {
        Self { name, folder, driver_image: String::new(), stub_image: String::new() }
    }

    pub(crate) fn node(&self) -> String {
        format!("{}-control-plane", self.name)
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        Path::new(&required("E2E_TARGET")).join("e2e").join(self.name).join("kubeconfig")
    }

    /// The node's own kubectl.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["exec", &self.node(), "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"]);
        command.args(arguments);
        command
    }

    /// The driver, from outside.
    pub(crate) fn driver(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(required("E2E_DRIVER"));
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        command
    }

    /// The driver with these settings, from outside.
    pub(crate) fn sweep(&self, matrix: &str, results: &Path) -> Command {
        let mut command = self.driver(&["run", "--config", matrix, "--cluster-kind", "kind", "--results"]);
        command.arg(results);
        command
    }

    /// The driver's Job with these settings.
    pub(crate) fn job(&self, matrix: &str) -> Command {
        self.driver(&[
            "job",
            "--driver-image",
            &self.driver_image,
            "--cluster-kind",
            "kind",
            "--config",
            matrix,
        ])
    }

    /// Waits for a rollout.
    pub(crate) fn rolled_out(&self, deployment: &str) {
        must(&mut self.kubectl(&["rollout", "status", deployment, "--timeout=60s"]));
    }
}

/// A run that must end with this code, in so many words.
pub(crate) fn refused(command: &mut Command, code: i32, words: &[&str]) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(code), "{command:?}: {}", ended.err);
    for word in words {
        assert!(ended.err.contains(word), "{command:?}: no '{word}' in: {}", ended.err);
    }
    ended
}
