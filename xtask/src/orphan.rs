//! Processes that a killed xtask has left running (orphans).
//!
//! Every command gets an environment variable that names the xtask that started it and the folder it works in.
//! A process that has this variable, and whose xtask is gone, is an orphan: nobody waits for it any more.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::time::{Instant, sleep};

/// The environment variable that every command of this program gets. Its value is a [`StartedBy`].
pub(crate) const STARTED_BY: &str = "LOCUST_MATRIX_XTASK";

/// How long an orphan has between SIGTERM and SIGKILL.
const SIGKILL_AFTER: Duration = Duration::from_secs(5);

/// Only these programs are ended. Others inherit the variable, too, but they end by themselves, or they also
/// serve somebody else, as a compiler's cache server or a credential helper does.
const PROGRAMS: [&str; 5] = ["kind", "docker", "cargo", "locust-matrix", "locust-matrix-cluster"];

/// Which xtask started a command, and the folder that it works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartedBy {
    pid: i32,
    /// Process IDs are used again, but not with the same start time. In clock ticks since the machine started.
    started: u64,
    folder: PathBuf,
}

/// A process, as `/proc` shows it.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pid: i32,
    started: u64,
    /// Whether it leads a process group of its own.
    leads_group: bool,
    argv: Vec<String>,
    started_by: Option<StartedBy>,
}

impl StartedBy {
    /// The value for the commands of this process, which works in `folder`.
    pub(crate) fn this_process(folder: &Path) -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let started = stat(pid).map_or(0, |stat| stat.started);
        Self { pid, started, folder: folder.to_path_buf() }
    }

    pub(crate) fn text(&self) -> String {
        format!("{}:{}:{}", self.pid, self.started, self.folder.display())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let pid = parts.next()?.parse().ok()?;
        let started = parts.next()?.parse().ok()?;
        Some(Self { pid, started, folder: PathBuf::from(parts.next()?) })
    }
}

impl Process {
    /// Its ID and the beginning of its command line, for messages.
    pub(crate) fn name(&self) -> String {
        let line: String = self.argv.join(" ").chars().take(120).collect();
        format!("process {} ({line})", self.pid)
    }

    fn program(&self) -> &str {
        let program = self.argv.first().map_or("", String::as_str);
        program.rsplit('/').next().unwrap_or(program)
    }
}

/// Whether a run in `folder` that is over has left this process running.
fn is_orphan(process: &Process, folder: &Path, alive: &dyn Fn(&StartedBy) -> bool) -> bool {
    let Some(started_by) = &process.started_by else {
        return false;
    };
    started_by.folder == folder
        && !alive(started_by)
        && PROGRAMS.contains(&process.program())
        && mentions(&process.argv, folder)
}

/// Whether a command line names the cluster of this folder, or a path in the target folder.
fn mentions(argv: &[String], folder: &Path) -> bool {
    let cluster = folder.file_name().unwrap_or_default().to_string_lossy();
    let container = format!("{cluster}-control-plane");
    // The target folder, where builds and image archives go.
    let target = folder.parent().and_then(Path::parent).unwrap_or(folder);
    argv.iter().any(|word| {
        let value = word.rsplit_once('=').map_or(word.as_str(), |(_, value)| value);
        value == cluster || value == container || Path::new(value).starts_with(target)
    })
}

/// The processes that killed runs in this folder have left.
pub(crate) fn find(folder: &Path) -> Vec<Process> {
    let all = all_processes();
    let started: HashMap<i32, u64> = all.iter().map(|process| (process.pid, process.started)).collect();
    let alive = |by: &StartedBy| started.get(&by.pid) == Some(&by.started);
    all.into_iter().filter(|process| is_orphan(process, folder, &alive)).collect()
}

/// Ends a process and the group that it leads, with SIGTERM and then with SIGKILL. Returns whether it is gone.
pub(crate) async fn terminate(process: &Process) -> bool {
    for signal in [Signal::TERM, Signal::KILL] {
        let by = Instant::now() + SIGKILL_AFTER;
        if let (Some(pid), true) = (Pid::from_raw(process.pid), still_runs(process)) {
            // An error means that it has ended meanwhile.
            let _ =
                if process.leads_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
        }
        while still_runs(process) && Instant::now() < by {
            sleep(Duration::from_millis(50)).await;
        }
    }
    !still_runs(process)
}

fn still_runs(process: &Process) -> bool {
    stat(process.pid).is_some_and(|stat| stat.started == process.started && stat.state != 'Z')
}

/// Whether the process with this ID runs this program.
pub(crate) fn is_running(pid: i32, program: &str) -> bool {
    let argv = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words(&argv).first().is_some_and(|word| Path::new(word).file_name().is_some_and(|name| name == program))
}

/// Whether any process runs a program whose path fulfils this condition.
pub(crate) fn any_process_runs(wanted: impl Fn(&Path) -> bool) -> bool {
    all_processes()
        .iter()
        .any(|process| process.argv.first().is_some_and(|program| wanted(Path::new(program))))
}

/// Every process that runs and can be read. A killed xtask that its parent has not waited for does not run. On systems without `/proc` the list is empty.
fn all_processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let stat = stat(pid).filter(|stat| stat.state != 'Z')?;
        let argv = words(&std::fs::read(format!("/proc/{pid}/cmdline")).ok()?);
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let prefix = format!("{STARTED_BY}=");
        let started_by =
            words(&environment).iter().find_map(|pair| StartedBy::parse(pair.strip_prefix(&prefix)?));
        Some(Process { pid, started: stat.started, leads_group: stat.group == pid, argv, started_by })
    })
    .collect()
}

fn words(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    group: i32,
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state parent group … start …`; the name may contain any character.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "/w/target/e2e/mine";

    #[test]
    fn a_process_that_was_killed_and_not_waited_for_does_not_run() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let is_listed = || all_processes().iter().any(|process| process.pid == pid);
        assert!(is_listed());
        child.kill().unwrap();
        let by = std::time::Instant::now() + SIGKILL_AFTER;
        while stat(pid).is_none_or(|stat| stat.state != 'Z') {
            assert!(std::time::Instant::now() < by, "it does not end");
            std::thread::yield_now();
        }
        assert!(!is_listed());
        child.wait().unwrap();
    }

    fn process(line: &str, started_by: Option<&str>) -> Process {
        let argv = line.split(' ').map(str::to_owned).collect();
        Process {
            pid: 7,
            started: 1,
            leads_group: true,
            argv,
            started_by: started_by.and_then(StartedBy::parse),
        }
    }

    fn orphan(line: &str, started_by: Option<&str>) -> bool {
        is_orphan(&process(line, started_by), Path::new(FOLDER), &|by| by.pid == 1)
    }

    const DEAD: Option<&str> = Some("5:99:/w/target/e2e/mine");

    #[test]
    fn a_command_of_a_killed_run_is_an_orphan() {
        for line in [
            "/usr/bin/kind create cluster --name mine --kubeconfig /w/target/e2e/mine/kubeconfig",
            "docker exec -i mine-control-plane ctr images import -",
            "docker save --output /w/target/e2e/images/x.part-5 locustio/locust:1",
            "/w/target/t/release/locust-matrix --kubeconfig=/w/target/e2e/mine/kubeconfig job",
            "cargo build --release --target-dir /w/target",
        ] {
            assert!(orphan(line, DEAD), "{line}");
        }
    }

    #[test]
    fn other_processes_are_not_orphans() {
        let kind = "kind create cluster --name mine --kubeconfig /w/target/e2e/mine/kubeconfig";
        assert!(!orphan(kind, None), "typed by a person");
        assert!(!orphan(kind, Some("1:99:/w/target/e2e/mine")), "its xtask lives");
        assert!(!orphan(kind, Some("5:99:/w/target/e2e/other")), "another cluster's");
        assert!(!orphan("sccache --server mine", DEAD), "serves others too");
        assert!(!orphan("docker pull busybox", DEAD), "ends by itself");
        assert!(!orphan("kind delete cluster --name mine-too", DEAD), "another cluster");
    }

    #[test]
    fn the_variable_s_text_is_parsed_to_the_same_value() {
        let by = StartedBy::this_process(Path::new("/a:b/e2e/x"));
        assert_eq!(StartedBy::parse(&by.text()), Some(by.clone()));
        assert!(by.started > 0);
        assert_eq!(StartedBy::parse("nonsense"), None);
    }

    #[test]
    fn a_process_name_with_brackets_and_spaces_is_parsed() {
        let line = format!("12 (a) b (c) S 1 12 12 {} 4242 0", "0 ".repeat(15).trim_end());
        assert_eq!(parse_stat(&line), Some(Stat { state: 'S', group: 12, started: 4242 }));
        assert_eq!(parse_stat("12"), None);
    }

    #[tokio::test]
    async fn a_process_is_ended_with_its_children() {
        use std::os::unix::process::CommandExt as _;
        let mut command = std::process::Command::new("sh");
        let mut child = command.args(["-c", "sleep 60 & wait"]).process_group(0).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let process = all_processes().into_iter().find(|process| process.pid == pid).unwrap();
        assert!(process.leads_group);
        assert!(terminate(&process).await);
        child.wait().unwrap();
    }
}
