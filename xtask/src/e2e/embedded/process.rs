//! The process of the embedded cluster.

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

/// Much longer than its start takes, which is milliseconds.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// The cluster gives its pods some seconds to end.
const ENDS_WITHIN: Duration = Duration::from_secs(15);

/// A running embedded cluster. It ends when xtask ends, unless it is kept.
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
            // A process group of its own, so that Ctrl-C in the terminal reaches only xtask.
            .process_group(0)
            .kill_on_drop(!keep)
            .spawn()
            .map_err(|error| {
                Failure::preflight(format!("{}: {error}", program.display()), "build it again")
            })?;
        let Some(pipe) = child.stdout.take() else {
            return Err(Failure::bug("the stdout of the cluster is not connected"));
        };
        let mut lines = BufReader::new(pipe).lines();
        let ready =
            session.unless_stopped(async { Ok(timeout(READY_WITHIN, lines.next_line()).await) }).await?;
        if let Ok(Ok(Some(line))) = ready {
            session.progress.timed_line(&line);
            return Ok(Self { child, folder: folder.to_path_buf() });
        }
        let log_text = std::fs::read_to_string(&path).unwrap_or_default();
        let code = match timeout(Duration::from_secs(1), child.wait()).await {
            Ok(Ok(status)) if status.code() == Some(i32::from(PREFLIGHT)) => PREFLIGHT,
            _ => CLUSTER,
        };
        Err(Failure::new(code, "the embedded cluster did not start", "provide what its log names")
            .detail(log_text))
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Ends the cluster with SIGTERM. Nothing of it is left when this returns.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        let group = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            // An error means that it has ended already.
            let _ = kill_process_group(group, Signal::TERM);
        }
        if timeout(ENDS_WITHIN, self.child.wait()).await.is_err() {
            // The cluster's own watchdog ends the pods.
            let _ = self.child.kill().await;
        }
        let _ = std::fs::remove_file(self.folder.join("cluster.log"));
        Ok(())
    }

    /// Leaves it running, and prints how to use it and how to end it.
    pub(super) fn keep(self, session: &Session) {
        let kubeconfig = shell::quote(&self.kubeconfig().display().to_string());
        session.progress.line(&format!("cluster:  KUBECONFIG={kubeconfig} kubectl get pods"));
        if let Some(id) = self.child.id() {
            session.progress.line(&format!("end it:   kill {id}   (or: cargo xtask cleanup)"));
        }
    }

    /// Copies the logs of the pods and of the cluster to this folder.
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

/// The flags that tell the cluster which program an image stands for.
fn image_flags(binaries: &Binaries) -> Vec<String> {
    [("locust-driver", &binaries.driver), ("fake-inference", &binaries.stub)]
        .into_iter()
        .map(|(name, program)| format!("--image={name}={}", program.display()))
        .collect()
}
