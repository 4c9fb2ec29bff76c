//! The cluster's program, started by itself.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::required;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// An embedded cluster, without a Locust.
pub(crate) struct Cluster {
    child: Child,
    folder: TempDir,
}

impl Cluster {
    /// Starts it, and waits until it says that it is ready.
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
        eprintln!("ready after {:.2} s: {}", begun.elapsed().as_secs_f64(), line.trim());
        assert!(begun.elapsed() < Duration::from_secs(5), "it is meant to take less than one");
        Self { child, folder }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Asks it to end, and sees that it does, with all its pods.
    pub(crate) fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let place = self.folder.path().to_str().unwrap().to_owned();
        assert_nothing_runs(&place);
        assert!(!self.folder.path().join("state").exists(), "what the pods wrote is gone");
    }
}

impl Drop for Cluster {
    /// After a test that has failed: its pods end with it.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Command lines and environments of processes that name this place.
pub(crate) fn running(place: &str) -> Vec<String> {
    let me = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = processes.filter(|entry| entry.file_name() != *me);
    let told = others.filter_map(|entry| {
        let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let (line, variables) = (read("cmdline"), read("environ"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', " ");
        (text(&line).contains(place) || text(&variables).contains(place)).then(|| text(&line))
    });
    told.filter(|line| !line.is_empty()).collect()
}

/// Checks that no process is left that knows this place.
pub(crate) fn assert_nothing_runs(place: &str) {
    let left = running(place);
    assert!(left.is_empty(), "{left:?}");
}
