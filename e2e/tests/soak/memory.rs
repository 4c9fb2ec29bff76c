//! The memory of the processes that run all the time, from `/proc`.

use std::collections::BTreeMap;

use e2e::embedded::EmbeddedCluster;
use kube::ResourceExt;

/// Seconds since the start, and resident memory (MiB).
type Series = Vec<(f64, f64)>;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    series: BTreeMap<&'static str, Series>,
    driver_peak_mib: f64,
}

impl Memory {
    /// Reads the memory of the driver, the cluster, and Locust's master and worker. A process that is not there at
    /// this moment is left out.
    pub(crate) fn look(&mut self, at_s: f64, driver: u32, cluster: &EmbeddedCluster) {
        self.add("driver", at_s, read_mib(driver, "VmRSS:"));
        self.add("cluster", at_s, read_mib(cluster.id(), "VmRSS:"));
        self.driver_peak_mib = self.driver_peak_mib.max(read_mib(driver, "VmHWM:").unwrap_or(0.0));
        for (name, labels) in [("master", "app=locust,role=master"), ("worker", "app=locust,role=worker")] {
            let pods: Vec<String> =
                cluster.namespace().pods(labels).iter().flatten().map(ResourceExt::name_any).collect();
            // There is one of each. During a change there may be more, whose memory would be that of another process.
            let [pod] = pods.as_slice() else { continue };
            let processes = cluster.processes_of(pod).into_iter();
            let sizes =
                processes.filter_map(|id| read_mib(u32::try_from(id.as_raw_nonzero().get()).ok()?, "VmRSS:"));
            let sum: f64 = sizes.sum();
            self.add(name, at_s, (sum > 0.0).then_some(sum));
        }
    }

    fn add(&mut self, name: &'static str, at_s: f64, mib: Option<f64>) {
        self.series.entry(name).or_default().extend(mib.map(|mib| (at_s, mib)));
    }

    /// The samples of each process. Every series has at least one.
    pub(crate) fn series(&self) -> impl Iterator<Item = (&'static str, &Series)> {
        self.series.iter().filter(|(_, series)| !series.is_empty()).map(|(name, series)| (*name, series))
    }

    /// The kernel's own record of the driver's largest resident memory.
    pub(crate) fn driver_peak_mib(&self) -> f64 {
        self.driver_peak_mib
    }
}

fn read_mib(id: u32, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024.0)
}
