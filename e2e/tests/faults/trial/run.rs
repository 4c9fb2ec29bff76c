//! A run of the driver, through all its starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::namespace::Problem;
use rustix::process::Signal;

use crate::cluster::Cluster;
use crate::driver::{Driver, Ending};

/// Four short scenarios, which change the replicas and the workers.
pub(super) const SETTINGS: &str = "\
replicas: [1, 2]
workers: [1, 2]
users: [4]
duration: 3s
max_duration: 4s
warmup: 0s
cooldown: 0s
spawn_rate: 20
";

/// A run, and the driver that works on it now.
pub(super) struct Run {
    folder: PathBuf,
    starts: usize,
    driver: Option<Driver>,
    /// The folder with this run's records, once there is one.
    results: Option<PathBuf>,
}

impl Run {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), starts: 0, driver: None, results: None }
    }

    /// Starts the driver: it resumes the run if something of it is recorded, and else begins anew.
    pub(super) fn start(&mut self, cluster: &dyn Cluster) -> Result<(), Problem> {
        std::fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
        let settings = self.folder.join("matrix.yaml");
        std::fs::write(&settings, SETTINGS).map_err(|error| error.to_string())?;
        let mut command = cluster.driver();
        command.args(["run", "--cluster-kind", cluster.name(), "--config"]).arg(settings);
        match recorded(&self.folder.join("results")) {
            Some(results) => command.arg("--resume").arg(results),
            None => command.arg("--results").arg(self.folder.join("results")),
        };
        self.starts += 1;
        let log = self.folder.join(format!("driver-{}.log", self.starts));
        self.driver = Some(Driver::start(&mut command, &log)?);
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn signal(&self, signal: Signal) {
        self.driver.iter().for_each(|driver| driver.signal(signal));
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.driver.as_mut().is_none_or(Driver::has_ended)
    }

    pub(super) fn wait(&mut self, limit: Duration) -> Ending {
        let ending = self.driver.as_mut().map_or(Ending::Hung, |driver| driver.wait(limit));
        self.results = recorded(&self.folder.join("results"));
        ending
    }

    pub(super) fn last_lines(&self) -> String {
        self.driver.as_ref().map(Driver::last_lines).unwrap_or_default()
    }

    pub(super) fn results(&self) -> Option<&Path> {
        self.results.as_deref()
    }

    pub(super) fn has_records(&self) -> bool {
        self.results.is_some()
    }
}

/// The run's folder that has a record. Folders of starts that ended before their first record have none.
fn recorded(results: &Path) -> Option<PathBuf> {
    let folders = std::fs::read_dir(results).ok()?.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = folders.filter(|folder| has_whole_line(&folder.join("results.jsonl"))).collect();
    found.sort();
    found.pop()
}

fn has_whole_line(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.contains(&b'\n'))
}
