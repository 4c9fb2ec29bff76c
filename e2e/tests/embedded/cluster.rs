//! The embedded cluster's program, started directly.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::leftovers::processes_naming;
use e2e::required;
use e2e::tool::say;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// An embedded cluster without Locust.
pub(crate) struct Cluster {
    child: Child,
    folder: TempDir,
}

impl Cluster {
    /// Starts it, and waits until it prints that it is ready.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = |name: &str, variable: &str| format!("--image={name}={}", required(variable));
        let begun = Instant::now();
        let child = Command::new(required("E2E_CLUSTER"))
            .arg("--kubeconfig")
            .arg(folder.path().join("kubeconfig"))
            .arg("--state")
            .arg(folder.path().join("state"))
            .args([image("fake-inference", "E2E_STUB"), image("locust-driver", "E2E_DRIVER")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        say(&format!("ready after {:.2} s: {}", begun.elapsed().as_secs_f64(), line.trim()));
        assert!(begun.elapsed() < Duration::from_secs(5), "it should take less than one second");
        Self { child, folder }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Ends it, and checks that all its pods have ended.
    pub(crate) fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let folder = self.folder.path().to_str().unwrap().to_owned();
        assert_nothing_runs(&folder);
        assert!(!self.folder.path().join("state").exists(), "the files of the pods are deleted");
    }
}

impl Drop for Cluster {
    /// After a failed test: the pods end when their cluster does.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Checks that there is no process whose command line or environment contains this text.
pub(crate) fn assert_nothing_runs(text: &str) {
    let left = processes_naming(text);
    assert!(left.is_empty(), "{left:?}");
}
