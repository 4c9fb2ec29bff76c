//! The cluster before a run, and what differs from it afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use e2e::namespace::{Namespace, Problem};

use crate::cluster::Cluster;
use crate::outcome::Outcome;
use crate::web;

/// The file of a run's folder that lists its reports.
const REPORTS: &str = "reports.sha256";

pub(super) struct Before {
    replicas: BTreeMap<String, i32>,
    objects: BTreeSet<String>,
}

impl Before {
    pub(super) fn read(namespace: &Namespace) -> Result<Self, Problem> {
        Ok(Self { replicas: namespace.replicas()?, objects: namespace.objects()? })
    }

    /// Compares the cluster with its state before the trial, and adds every difference to the outcome. Looks in `folder`
    /// for files that the trial has left.
    pub(super) fn compare(&self, cluster: &dyn Cluster, folder: &Path, outcome: &mut Outcome) {
        let namespace = cluster.namespace();
        match namespace.replicas() {
            Ok(replicas) => {
                let differs = |(name, wanted): (&String, &i32)| {
                    let found = replicas.get(name);
                    (found != Some(wanted)).then(|| format!("{name}: {wanted} before, {found:?} now"))
                };
                outcome.replicas.extend(self.replicas.iter().filter_map(differs));
            }
            Err(problem) => outcome.replicas.push(problem),
        }
        let left = &mut outcome.leftovers;
        left.extend(web::load_that_runs(cluster));
        left.extend(namespace.settle(cluster.settles_within()).err());
        match cluster.run_without_pod() {
            Ok(processes) => {
                left.extend(processes.iter().map(|line| format!("without a pod: {line}")));
            }
            Err(problem) => left.push(problem),
        }
        match namespace.objects() {
            Ok(objects) => left.extend(objects.difference(&self.objects).cloned()),
            Err(problem) => left.push(problem),
        }
        match namespace.holders() {
            Ok(holders) => left.extend(holders.iter().map(|holder| format!("a Lease that {holder} holds"))),
            Err(problem) => left.push(problem),
        }
        left.extend(drivers_in(folder).iter().map(|line| format!("a driver: {line}")));
        left.extend(unfinished_files(&folder.join("results")).iter().map(|name| format!("the file {name}")));
    }
}

/// The command lines of processes that name the trial's folder.
fn drivers_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    let folder = format!("{}/", folder.display());
    lines.filter(|line| line.contains(&folder)).collect()
}

/// Files of a run's folders that are no results, such as half-written ones. The run itself lists its reports.
fn unfinished_files(results: &Path) -> Vec<String> {
    let runs = std::fs::read_dir(results).into_iter().flatten().flatten();
    let mut unfinished = Vec::new();
    for run in runs.map(|run| run.path()) {
        let listed = std::fs::read_to_string(run.join(REPORTS)).unwrap_or_default();
        let listed: BTreeSet<&str> =
            listed.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        let files = std::fs::read_dir(&run).into_iter().flatten().flatten();
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        unfinished.extend(names.filter(|name| {
            !listed.contains(name.as_str()) && ![REPORTS, "results.jsonl"].contains(&name.as_str())
        }));
    }
    unfinished
}
