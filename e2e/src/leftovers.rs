//! Checks that a run leaves nothing behind.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::tool::output_of;

/// The state of this machine before a run.
#[derive(Debug)]
pub struct Before {
    networks: BTreeSet<String>,
    kubeconfig: Option<Vec<u8>>,
}

impl Before {
    /// Reads the state of this machine.
    pub fn read() -> Self {
        Self { networks: networks(), kubeconfig: std::fs::read(kubeconfig()).ok() }
    }

    /// Checks that nothing of the cluster `name` is left, and that nothing else has changed.
    ///
    /// # Panics
    /// If something is left, with its name.
    pub fn assert_nothing_left(&self, name: &str) {
        let label = format!("label=io.x-k8s.kind.cluster={name}");
        let containers =
            output_of(Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &label]));
        assert_eq!(containers, "", "containers of {name}");
        let clusters = output_of(Command::new("kind").args(["get", "clusters"]));
        assert!(clusters.lines().all(|line| line != name), "{clusters}");
        let new: Vec<_> = networks().difference(&self.networks).cloned().collect();
        assert!(new.is_empty(), "networks: {new:?}");
        assert_eq!(std::fs::read(kubeconfig()).ok(), self.kubeconfig, "the user's kubeconfig");
        let processes = processes_naming(name);
        assert!(processes.is_empty(), "processes: {processes:?}");
    }
}

fn networks() -> BTreeSet<String> {
    output_of(Command::new("docker").args(["network", "ls", "--format", "{{.Name}}"]))
        .lines()
        .map(str::to_owned)
        .collect()
}

fn kubeconfig() -> PathBuf {
    std::env::home_dir().unwrap_or_default().join(".kube/config")
}

/// Returns the command lines, other than this process's own, that name the cluster.
fn processes_naming(name: &str) -> Vec<String> {
    let me = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = entries.filter(|entry| entry.file_name() != *me);
    let lines = others.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.split(' ').any(|word| word == name)).collect()
}
