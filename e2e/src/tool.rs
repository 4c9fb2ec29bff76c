//! Runs programs and keeps their output.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot continue has failed")]

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

thread_local! {
    static PREFIX: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Puts this before every line that this thread prints with [`say`], and before every line of the programs
/// that it starts from now on. Tests that run side by side stay readable that way.
pub fn set_prefix(prefix: &str) {
    PREFIX.set(prefix.to_owned());
}

/// Prints lines on standard error, each with this thread's prefix.
pub fn say(text: &str) {
    PREFIX.with_borrow(|prefix| say_with(prefix, text));
}

fn say_with(prefix: &str, text: &str) {
    for line in text.lines() {
        eprintln!("{prefix}{line}");
    }
}

/// Runs a test and prints `took NAME: 12.3 s`, which `cargo xtask test` reads.
pub fn timed<T>(name: &str, test: impl FnOnce() -> T) -> T {
    let _clock = Clock::start(name);
    test()
}

/// Prints the time when it is dropped, also after a failure.
#[derive(Debug)]
pub struct Clock {
    name: String,
    begun: Instant,
}

impl Clock {
    /// Starts the time of the test `name`.
    pub fn start(name: &str) -> Self {
        Self { name: name.to_owned(), begun: Instant::now() }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // Not with println, whose output is not shown if a test succeeds.
        let seconds = self.begun.elapsed().as_secs_f64();
        let _ = writeln!(std::io::stdout(), "took {}: {seconds:.1} s", self.name);
    }
}

/// How a program ended, with its output.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error. Each line was also printed as soon as it came.
    pub err: String,
}

/// A program that runs.
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
/// If it cannot be started.
pub fn run(command: &mut Command) -> Ended {
    Running::start(command).finish()
}

/// Runs a program that must succeed, and returns its standard output.
///
/// # Panics
/// If it fails.
pub fn output_of(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{shown}: {}", ended.err);
    ended.out
}

impl Running {
    /// Starts a program.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program starts");
        let (send, lines) = channel();
        let err = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let prefix = PREFIX.with_borrow(String::clone);
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                say_with(&prefix, &line);
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
    /// If no line does within `limit`, or if the program ends before that.
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

    /// Returns the next line of its standard error, and keeps it with the others.
    fn next_line(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(left)?;
        self.err.push_str(&line);
        self.err.push('\n');
        Ok(line)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Sends a signal to the process alone, as `kill` does.
    ///
    /// # Panics
    /// If it has ended and was waited for already.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process runs");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end within `limit`.
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
    /// If it cannot be waited for.
    pub fn finish(mut self) -> Ended {
        for line in &self.lines {
            self.err.push_str(&line);
            self.err.push('\n');
        }
        let status: ExitStatus = self.child.wait().expect("the program is waited for");
        Ended { code: status.code(), out: self.out.join().expect("stdout is read"), err: self.err }
    }
}
