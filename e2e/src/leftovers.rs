//! Checks that a run leaves nothing behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::kind::kind;
use crate::required;
use crate::tool::{Running, run};

/// How long what a killed main job has started may run on: the driver waits half a minute for the API server to come
/// back, and tries each of its calls for 15 s more.
const ENDS_WITHIN: Duration = Duration::from_secs(75);

/// Files that stay in a cluster's folder until `cargo xtask cleanup`: people read the log after a run.
const KEPT: [&str; 2] = ["commands.log", "lock"];

/// The state of this machine before a run.
#[derive(Debug)]
pub struct Before {
    networks: BTreeSet<String>,
    kubeconfig: Option<Vec<u8>>,
}

impl Before {
    /// Reads the state of this machine. Without Docker or kind, there is nothing of them.
    pub fn read() -> Self {
        Self { networks: networks(), kubeconfig: std::fs::read(kubeconfig()).ok() }
    }

    /// Checks that nothing of the cluster `name` is left, and that nothing else has changed.
    ///
    /// # Panics
    /// If something is left, with its name.
    pub fn assert_nothing_left(&self, name: &str) {
        assert_eq!(self.left(name), Vec::<String>::new(), "left of {name}");
    }

    /// Lists what remains of the cluster `name`, and what else this machine had not before.
    pub fn left(&self, name: &str) -> Vec<String> {
        let label = format!("label=io.x-k8s.kind.cluster={name}");
        let containers =
            lines_of(Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &label]));
        let mut left: Vec<String> = containers.iter().map(|id| format!("the container {id}")).collect();
        if lines_of(kind().args(["get", "clusters"])).contains(name) {
            left.push(format!("the kind cluster {name}"));
        }
        left.extend(networks().difference(&self.networks).map(|network| format!("the network {network}")));
        if std::fs::read(kubeconfig()).ok() != self.kubeconfig {
            left.push("another kubeconfig of the user".into());
        }
        left.extend(processes_naming(name).iter().map(|line| format!("the process {line}")));
        let files = std::fs::read_dir(folder(name)).into_iter().flatten().flatten();
        let files = files.filter(|file| !KEPT.iter().any(|kept| file.file_name() == *kept));
        left.extend(files.map(|file| format!("the file {}", file.path().display())));
        left
    }

    /// Sends a signal to a main job that works on the cluster `name`, and runs `cargo xtask cleanup` after SIGKILL.
    /// Waits up to [`ENDS_WITHIN`] until the main job has left nothing behind. Returns its exit code, and what still exists.
    ///
    /// # Panics
    /// If `cargo xtask cleanup` fails.
    pub fn left_after(&self, name: &str, job: Running, signal: Signal) -> (Option<i32>, Vec<String>) {
        job.signal(signal);
        if signal == Signal::KILL {
            let cleanup = run(Command::new(required("E2E_XTASK")).arg("cleanup"));
            assert_eq!(cleanup.code, Some(0), "{}", cleanup.err);
        }
        let code = job.finish().code;
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            let mut left = self.left(name);
            if signal == Signal::KILL && folder(name).exists() {
                left.push(format!("the folder {}", folder(name).display()));
            }
            if left.is_empty() || Instant::now() > deadline {
                return (code, left);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(&required("E2E_TARGET")).join("e2e").join(name)
}

fn networks() -> BTreeSet<String> {
    lines_of(Command::new("docker").args(["network", "ls", "--format", "{{.Name}}"]))
}

/// The lines that a command prints; none if the program is not there or fails.
fn lines_of(command: &mut Command) -> BTreeSet<String> {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().map(str::to_owned).collect()
}

fn kubeconfig() -> PathBuf {
    std::env::home_dir().unwrap_or_default().join(".kube/config")
}

/// The command lines of processes whose command line or environment contains this text, without this process.
pub fn processes_naming(text: &str) -> Vec<String> {
    let me = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = entries.filter(|entry| entry.file_name() != *me);
    let lines = others.filter_map(|entry| {
        let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let to_text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', " ");
        let (line, variables) = (to_text(&read("cmdline")), to_text(&read("environ")));
        (line.contains(text) || variables.contains(text)).then_some(line)
    });
    // A process that has ended and is not waited for yet has no command line.
    lines.filter(|line| !line.is_empty()).collect()
}
