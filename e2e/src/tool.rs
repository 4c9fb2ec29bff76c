//! Running programs and keeping what they said.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error, also passed on as it came.
    pub err: String,
}

/// A program on its way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    err: String,
    out: std::thread::JoinHandle<String>,
}

/// Runs a program to its end.
///
/// # Panics
/// Where it cannot be started.
pub fn run(command: &mut Command) -> Ended {
    Running::start(command).finish()
}

/// Runs a program that must succeed; gives its standard output.
///
/// # Panics
/// Where it fails.
pub fn must(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{shown}: {}", ended.err);
    ended.out
}

impl Running {
    /// Starts a program.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program starts");
        let (send, lines) = channel();
        let err = BufReader::new(child.stderr.take().expect("stderr is piped"));
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                eprintln!("{line}");
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut stdout = child.stdout.take().expect("stdout is piped");
        let out = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text).unwrap_or_default()
        });
        Self { child, lines, err: String::new(), out }
    }

    /// Reads its standard error until a line contains `word`.
    ///
    /// # Panics
    /// Where none does within `limit`, or the program ends before.
    pub fn await_line(&mut self, word: &str, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            match self.next_line(deadline) {
                Ok(line) if line.contains(word) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("no '{word}' within {limit:?} in:\n{}", self.err),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without '{word}':\n{}", self.err),
            }
        }
    }

    /// The next line of its standard error, which is kept with the others.
    fn next_line(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(left)?;
        self.err.push_str(&line);
        self.err.push('\n');
        Ok(line)
    }

    /// Sends a signal to the process alone, as `kill` does.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process runs");
    }

    /// Waits for its end, which must come within `limit`.
    ///
    /// # Panics
    /// Where it does not.
    pub fn finish_within(mut self, limit: Duration) -> Ended {
        let deadline = Instant::now() + limit;
        loop {
            match self.next_line(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.finish(),
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("it did not end within {limit:?}:\n{}", self.err);
                }
            }
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it cannot be waited for.
    pub fn finish(mut self) -> Ended {
        for line in &self.lines {
            self.err.push_str(&line);
            self.err.push('\n');
        }
        let status: ExitStatus = self.child.wait().expect("the program is waited for");
        Ended { code: status.code(), out: self.out.join().expect("stdout is read"), err: self.err }
    }
}
