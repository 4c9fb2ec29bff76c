//! The cluster's process, from its start to its end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::failure::{CLUSTER, Failure, PREFLIGHT};
use crate::folders;
use crate::orphan;
use crate::run::Session;
use crate::run::shell;
use crate::toolchain::Binaries;

/// It is there in milliseconds.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// It gives its pods a moment.
const ENDS_WITHIN: Duration = Duration::from_secs(15);

/// An embedded cluster that runs. It ends with this program, unless it is kept.
#[derive(Debug)]
pub(super) struct Cluster {
    child: Child,
    folder: PathBuf,
}

impl Cluster {
    pub(super) async fn start(
        session: &Session,
        program: &Path,
        folder: &Path,
        binaries: &Binaries,
        keep: bool,
    ) -> Result<Self, Failure> {
        folders::create(folder)?;
        let own = std::process::id().to_string();
        let mut argv = vec![program.display().to_string(), "--kubeconfig".into()];
        argv.push(folder.join("kubeconfig").display().to_string());
        argv.extend(["--state".into(), folder.join("state").display().to_string()]);
        argv.extend(image_flags(binaries));
        if !keep {
            argv.extend(["--parent-pid".into(), own]);
        }
        let line = shell::line(&[], &argv);
        session.progress.line(&format!("$ {line}"));
        session.log.begin(&line);
        let path = folder.join("cluster.log");
        let log = std::fs::File::create(&path).map_err(|error| Failure::file(&path, "create", &error))?;
        let mut child = Command::new(program)
            .args(&argv[1..])
            .env(orphan::STARTED_BY, session.started_by())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // Its own group: a Ctrl-C in the terminal reaches this program alone.
            .process_group(0)
            .kill_on_drop(!keep)
            .spawn()
            .map_err(|error| {
                Failure::preflight(format!("{}: {error}", program.display()), "build it again")
            })?;
        let Some(pipe) = child.stdout.take() else { return Err(Failure::bug("the cluster has no output")) };
        let mut lines = BufReader::new(pipe).lines();
        let ready =
            session.unless_stopped(async { Ok(timeout(READY_WITHIN, lines.next_line()).await) }).await?;
        if let Ok(Ok(Some(line))) = ready {
            session.progress.timed_line(&line);
            return Ok(Self { child, folder: folder.to_path_buf() });
        }
        let said = std::fs::read_to_string(&path).unwrap_or_default();
        let code = match timeout(Duration::from_secs(1), child.wait()).await {
            Ok(Ok(status)) if status.code() == Some(i32::from(PREFLIGHT)) => PREFLIGHT,
            _ => CLUSTER,
        };
        Err(Failure::new(code, "the embedded cluster did not start", "provide what it names").detail(said))
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// SIGTERM, and all of it is gone when this returns.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        let group = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::TERM);
        }
        if timeout(ENDS_WITHIN, self.child.wait()).await.is_err() {
            // Its watchdog ends the pods.
            let _ = self.child.kill().await;
        }
        let _ = std::fs::remove_file(self.folder.join("cluster.log"));
        Ok(())
    }

    /// Leaves it running, and says how to look at it and how to end it.
    pub(super) fn keep(self, session: &Session) {
        let kubeconfig = shell::quote(&self.kubeconfig().display().to_string());
        session.progress.line(&format!("cluster:  KUBECONFIG={kubeconfig} kubectl get pods"));
        if let Some(id) = self.child.id() {
            session.progress.line(&format!("end it:   kill {id}   (or: cargo xtask cleanup)"));
        }
    }

    /// Saves what the pods and the cluster have said.
    pub(super) fn keep_logs(&self, folder: &Path) -> Option<PathBuf> {
        folders::create(folder).ok()?;
        let _ = std::fs::copy(self.folder.join("cluster.log"), folder.join("cluster.log"));
        for pod in std::fs::read_dir(self.folder.join("state/pods")).into_iter().flatten().flatten() {
            for file in std::fs::read_dir(pod.path()).into_iter().flatten().flatten() {
                let name = file.file_name().to_string_lossy().into_owned();
                if Path::new(&name).extension().is_some_and(|end| end == "log") {
                    let pod = pod.file_name().to_string_lossy().into_owned();
                    let _ = std::fs::copy(file.path(), folder.join(format!("{pod}.{name}")));
                }
            }
        }
        Some(folder.to_path_buf())
    }
}

/// The programs' names as the cluster is told.
fn image_flags(binaries: &Binaries) -> Vec<String> {
    [("locust-driver", &binaries.driver), ("fake-inference", &binaries.stub)]
        .into_iter()
        .map(|(name, program)| format!("--image={name}={}", program.display()))
        .collect()
}
