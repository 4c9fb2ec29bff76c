//! What a pod uses, from `/proc`.

use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::Pid;

use crate::runtime::Usage;

/// The sum over all processes of these groups.
pub(super) fn of_groups(groups: &[Pid]) -> Usage {
    let mut usage = Usage { cpu: Duration::ZERO, memory: 0 };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for stat in processes.filter_map(|id| std::fs::read_to_string(format!("/proc/{id}/stat")).ok()) {
        let Some(process) = parse(&stat) else { continue };
        if groups.iter().any(|group| group.as_raw_nonzero().get() == process.group) {
            usage.cpu += Duration::from_secs_f64(process.ticks as f64 / clock_ticks_per_second() as f64);
            usage.memory += process.pages * page_size() as u64;
        }
    }
    usage
}

#[derive(Debug, PartialEq, Eq)]
struct Process {
    group: i32,
    /// Processor time, its own and that of children it has waited for.
    ticks: u64,
    /// Resident memory.
    pages: u64,
}

/// `pid (name) state parent group …`; the name may have anything in it.
fn parse(stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks = (11..=14).map(number).sum::<Option<u64>>()?;
    Some(Process { group: fields.get(2)?.parse().ok()?, ticks, pages: number(21)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read() {
        let line = "12 (a) b (c) S 1 7 12 0 -1 4194560 1 0 0 0 10 20 3 4 20 0 1 0 500 9000000 250 18446744073709551615";
        assert_eq!(parse(line), Some(Process { group: 7, ticks: 37, pages: 250 }));
        assert_eq!(parse("12"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let own = rustix::process::getpgrp();
        assert!(of_groups(&[own]).memory > 100_000);
    }
}
