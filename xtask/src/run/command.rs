//! One command: shown as a person would type it, logged with its output, and stopped with its children.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Session;
use super::group::{self, End};
use super::progress::LentTerminal;
use super::shell;
use super::stop::StopPolicy;
use crate::failure::{CLUSTER, Failure};
use crate::orphan;

/// Names the terminal on which the driver paints its live view although its output is kept.
const TERMINAL_VARIABLE: &str = "LOCUST_MATRIX_TERMINAL";

/// Number of output lines that the message about a failed command repeats.
const TAIL: usize = 30;

/// Which part of a command's output is shown on stderr. The log always has all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShowOutput {
    /// Nothing, unless `--verbose`.
    Nothing,
    /// Everything, indented.
    Indented,
    /// Only stderr, unchanged; stdout is data that this program reads.
    Stderr,
    /// Everything, unchanged.
    All,
}

#[derive(Debug, Clone)]
pub(crate) struct Cmd {
    argv: Vec<String>,
    env: Vec<(String, String)>,
    folder: Option<PathBuf>,
    stdin: Option<PathBuf>,
    show: ShowOutput,
    /// Whether the program has a live view of its own, which it may paint on the terminal.
    has_view: bool,
    stop_policy: StopPolicy,
    deadline: Option<Duration>,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    line: String,
    status: ExitStatus,
    end: End,
    /// Whether its errors were already shown where the user reads them last.
    shown: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The last lines of both streams.
    pub(crate) tail: String,
}

impl Cmd {
    pub(crate) fn new(program: impl Into<String>) -> Self {
        Self {
            argv: vec![program.into()],
            env: Vec::new(),
            folder: None,
            stdin: None,
            show: ShowOutput::Nothing,
            has_view: false,
            stop_policy: StopPolicy::AtOnce,
            deadline: None,
        }
    }

    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.argv.push(arg.into());
        self
    }

    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn path(self, path: &Path) -> Self {
        self.arg(path.display().to_string())
    }

    pub(crate) fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.env.push((key.to_owned(), value.into()));
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_path_buf());
        self
    }

    pub(crate) fn stdin(mut self, file: &Path) -> Self {
        self.stdin = Some(file.to_path_buf());
        self
    }

    pub(crate) fn show(mut self, show: ShowOutput) -> Self {
        self.show = show;
        self
    }

    /// The driver may paint its live view, if there is a terminal. Its lines then go to the log only.
    pub(crate) fn with_view(mut self) -> Self {
        self.has_view = true;
        self
    }

    pub(crate) fn stop_policy(mut self, stop_policy: StopPolicy) -> Self {
        self.stop_policy = stop_policy;
        self
    }

    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The command line with which a person can repeat it.
    pub(crate) fn line(&self) -> String {
        let mut line = shell::line(&self.env, &self.argv);
        if let Some(file) = &self.stdin {
            line.push_str(" < ");
            line.push_str(&shell::quote(&file.display().to_string()));
        }
        match &self.folder {
            Some(folder) if std::env::current_dir().ok().as_deref() != Some(folder) => {
                format!("cd {} && {line}", shell::quote(&folder.display().to_string()))
            }
            _ => line,
        }
    }

    /// Runs it to its end. An exit status other than 0 is not an error here: see [`Finished::require_success`].
    pub(crate) async fn run(self, session: &Session) -> Result<Finished, Failure> {
        // Boxed, because the future of many commands in sequence would otherwise take many kilobytes.
        Box::pin(self.execute(session)).await
    }

    async fn execute(self, session: &Session) -> Result<Finished, Failure> {
        if session.stop.is_due(self.stop_policy) {
            return Err(session.stop.failure());
        }
        let line = self.line();
        session.progress.line(&format!("$ {line}"));
        let number = session.log.begin(&line);
        let started = Instant::now();
        let mut command = self.command(session)?;
        let lent = if self.has_view { session.progress.lend_terminal() } else { None };
        if lent.is_some() {
            command.env(TERMINAL_VARIABLE, LentTerminal::PATH);
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                session.log.end(number, &format!("{error}"), started);
                return Err(start_failure(&self.argv[0], &error));
            }
        };
        let out =
            child.stdout.take().map(|pipe| read_lines(pipe, session, number, self.prefix(session, false)));
        let err = child.stderr.take().map(|pipe| {
            read_lines(pipe, session, number, self.prefix(session, true).filter(|_| lent.is_none()))
        });
        let ended = group::wait_or_stop(&mut child, &session.stop, self.stop_policy, self.deadline).await;
        let (status, end) = ended.map_err(|error| Failure::bug(format!("{line}: cannot wait: {error}")))?;
        let CapturedOutput { text: stdout, mut tail } = collect(out).await;
        let CapturedOutput { text: stderr, tail: errors } = collect(err).await;
        tail.extend(errors);
        drop(lent);
        session.log.end(number, &status.to_string(), started);
        let tail: Vec<String> = tail.into();
        // Indented output can be far above, mixed with that of other steps: its end is worth repeating.
        let shown = matches!(self.show, ShowOutput::Stderr | ShowOutput::All);
        Ok(Finished { line, status, end, shown, stdout, stderr, tail: tail.join("\n") })
    }

    fn command(&self, session: &Session) -> Result<Command, Failure> {
        let mut command = Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).envs(self.env.iter().cloned());
        command.env(orphan::STARTED_BY, &*session.started_by);
        // `cargo run` sets variables that describe xtask's package; a Cargo started here must not see them.
        for (key, _) in std::env::vars_os() {
            let of_xtask = ["CARGO_MANIFEST_", "CARGO_PKG_"];
            if key.to_str().is_some_and(|key| of_xtask.iter().any(|prefix| key.starts_with(prefix))) {
                command.env_remove(&key);
            }
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let stdin = match &self.stdin {
            Some(path) => {
                std::fs::File::open(path).map_err(|error| Failure::file(path, "open", &error))?.into()
            }
            None => Stdio::null(),
        };
        command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A process group of its own, so that Ctrl-C in the terminal reaches only xtask.
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }

    /// The text in front of each shown line; `None` if the stream is not shown.
    fn prefix(&self, session: &Session, stderr: bool) -> Option<&'static str> {
        match self.show {
            ShowOutput::Indented => Some("    "),
            ShowOutput::All => Some(""),
            ShowOutput::Stderr if stderr => Some(""),
            ShowOutput::Nothing | ShowOutput::Stderr => session.verbose.then_some("    "),
        }
    }
}

impl Finished {
    pub(crate) fn success(&self) -> bool {
        self.end == End::Exited && self.status.success()
    }

    pub(crate) fn stopped(&self) -> bool {
        self.end == End::Stopped
    }

    /// The exit code. If somebody else's signal ended the program, the code for a failed cluster.
    pub(crate) fn code(&self) -> u8 {
        let code = self.status.code().and_then(|code| u8::try_from(code).ok());
        code.unwrap_or(CLUSTER)
    }

    /// The finished command if it succeeded, else a failure with this exit code and this next step.
    pub(crate) fn require_success(
        self,
        session: &Session,
        code: u8,
        next: impl Into<String>,
    ) -> Result<Self, Failure> {
        if self.success() {
            return Ok(self);
        }
        if self.stopped() {
            return Err(session.stop.failure());
        }
        let why = match self.end {
            End::TimedOut => "took too long and was stopped".to_owned(),
            _ => format!("failed ({})", self.status),
        };
        // Output that was shown already is not repeated.
        let detail = if self.shown { String::new() } else { self.tail };
        Err(Failure::new(code, format!("`{}` {why}", self.line), next).detail(detail))
    }
}

fn start_failure(program: &str, error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::NotFound {
        Failure::preflight(format!("{program}: not found"), format!("install {program}, or put it on PATH"))
    } else {
        Failure::preflight(
            format!("{program}: cannot be started: {error}"),
            format!("check that {program} is executable and was built for this machine"),
        )
    }
}

#[derive(Default)]
struct CapturedOutput {
    text: String,
    /// The last lines.
    tail: VecDeque<String>,
}

fn read_lines(
    pipe: impl AsyncRead + Unpin + Send + 'static,
    session: &Session,
    number: u32,
    prefix: Option<&'static str>,
) -> (JoinHandle<()>, std::sync::Arc<std::sync::Mutex<CapturedOutput>>) {
    let session = session.clone();
    let lines = std::sync::Arc::<std::sync::Mutex<CapturedOutput>>::default();
    let shared = std::sync::Arc::clone(&lines);
    let task = tokio::spawn(async move {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while let Ok(1..) = pipe.read_until(b'\n', &mut bytes).await {
            let text = String::from_utf8_lossy(&bytes);
            let line = text.trim_end_matches(['\n', '\r']);
            session.log.output(number, line);
            if let Some(prefix) = prefix {
                session.progress.line(&format!("{prefix}{line}"));
            }
            let mut lines = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            lines.text.push_str(line);
            lines.text.push('\n');
            lines.tail.push_back(line.to_owned());
            if lines.tail.len() > TAIL {
                lines.tail.pop_front();
            }
            drop(lines);
            bytes.clear();
        }
    });
    (task, lines)
}

async fn collect(
    reading: Option<(JoinHandle<()>, std::sync::Arc<std::sync::Mutex<CapturedOutput>>)>,
) -> CapturedOutput {
    let Some((task, lines)) = reading else {
        return CapturedOutput::default();
    };
    // A daemon that the command started may keep the pipe open forever.
    let _ = timeout(Duration::from_secs(2), task).await;
    std::mem::take(&mut *lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}
