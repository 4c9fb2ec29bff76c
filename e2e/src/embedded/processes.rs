//! The processes of an embedded cluster, found by the cluster's folder in their environment.

use std::path::Path;

use rustix::process::Pid;

/// A process whose command line or environment names the cluster's folder.
pub(super) struct Process {
    pub(super) id: Pid,
    /// The name of its pod; `None` for the cluster itself and its watchdog.
    pub(super) pod: Option<String>,
    pub(super) line: String,
}

/// Returns the processes of this machine that name a folder, without this process.
pub(super) fn naming(folder: &Path) -> Vec<Process> {
    let folder = folder.display().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ids = ids.filter(|id: &i32| u32::try_from(*id) != Ok(std::process::id()));
    ids.filter_map(|id| read(id, &folder)).collect()
}

fn read(id: i32, folder: &str) -> Option<Process> {
    let text = |file: &str| {
        let bytes = std::fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (line, environment) = (text("cmdline"), text("environ"));
    // A process that has ended and is not waited for yet has neither.
    if !line.contains(folder) && !environment.contains(folder) {
        return None;
    }
    let of_pod = environment.contains(folder);
    let pod = environment.split('\0').find_map(|variable| variable.strip_prefix("HOSTNAME="));
    let pod = pod.filter(|_| of_pod).map(str::to_owned);
    Some(Process { id: Pid::from_raw(id)?, pod, line: line.replace('\0', " ") })
}
