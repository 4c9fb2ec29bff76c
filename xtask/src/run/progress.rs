//! Progress on stderr: one line per event and, on a terminal, a status line at the bottom with the steps that
//! are running.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The terminal of this process, whatever its output is connected to.
const TERMINAL: &str = "/dev/tty";

#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    terminal: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    active: Vec<Step>,
    status_line_shown: bool,
    /// Whether a program paints the terminal, which has no status line then.
    is_lent: bool,
    /// Lines that wait until the first line of the output is known.
    held: Option<Vec<String>>,
}

#[derive(Debug)]
struct Step {
    id: u64,
    name: String,
    started: Instant,
}

/// The terminal, while a program paints it. The status line comes back when this is dropped.
#[derive(Debug)]
pub(crate) struct LentTerminal<'p>(&'p Progress);

impl LentTerminal<'_> {
    /// Where the program finds the terminal.
    pub(crate) const PATH: &'static str = TERMINAL;
}

impl Drop for LentTerminal<'_> {
    fn drop(&mut self) {
        self.0.lock().is_lent = false;
    }
}

impl Progress {
    /// Lends the terminal to a program, without the status line; `None` if there is no terminal.
    pub(crate) fn lend_terminal(&self) -> Option<LentTerminal<'_>> {
        let is_there =
            self.terminal && std::fs::File::options().read(true).write(true).open(TERMINAL).is_ok();
        if !is_there {
            return None;
        }
        self.lock().is_lent = true;
        self.print(&[]);
        Some(LentTerminal(self))
    }

    pub(crate) fn start() -> Arc<Self> {
        let progress = Arc::new(Self {
            started: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            state: Mutex::default(),
        });
        if progress.terminal {
            let ticking = Arc::downgrade(&progress);
            tokio::spawn(async move {
                let mut ticks = tokio::time::interval(Duration::from_millis(500));
                while let Some(progress) = {
                    ticks.tick().await;
                    ticking.upgrade()
                } {
                    progress.print(&[]);
                }
            });
        }
        progress
    }

    /// Holds lines back until [`Self::release`] prints the line that has to be the first.
    pub(crate) fn hold(&self) {
        self.lock().held = Some(Vec::new());
    }

    pub(crate) fn release(&self, first: &str) {
        let held = self.lock().held.take().unwrap_or_default();
        self.line(first);
        for line in held {
            self.line(&line);
        }
    }

    /// Prints a line.
    pub(crate) fn line(&self, line: &str) {
        if let Some(held) = &mut self.lock().held {
            held.push(line.to_owned());
            return;
        }
        self.print(&[line]);
    }

    /// Prints a line with the time since the start.
    pub(crate) fn timed_line(&self, line: &str) {
        let stamp = format!("[{:>6.1}s]", self.started.elapsed().as_secs_f64());
        let text = line.replace('\n', &format!("\n{:9}", ""));
        self.line(&format!("{stamp} {text}"));
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn begin(&self, name: &str) -> u64 {
        self.timed_line(&format!("… {name}"));
        let mut state = self.lock();
        state.next += 1;
        let id = state.next;
        state.active.push(Step { id, name: name.to_owned(), started: Instant::now() });
        id
    }

    pub(crate) fn end(&self, id: u64, succeeded: bool) {
        let step = {
            let mut state = self.lock();
            let at = state.active.iter().position(|step| step.id == id);
            at.map(|at| state.active.remove(at))
        };
        if let Some(step) = step {
            let mark = if succeeded { "✓" } else { "✗" };
            let took = step.started.elapsed().as_secs_f64();
            self.timed_line(&format!("{mark} {} ({took:.1} s)", step.name));
        }
    }

    /// Erases the status line, writes these lines, and draws the status line again.
    fn print(&self, lines: &[&str]) {
        let mut state = self.lock();
        let mut text = String::new();
        if state.status_line_shown {
            text.push_str("\r\x1b[K");
            state.status_line_shown = false;
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        if self.terminal && !state.is_lent && !state.active.is_empty() {
            text.push_str(&status_line(&state.active, columns()));
            state.status_line_shown = true;
        }
        // A closed stderr must not stop the run.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.lock().active.clear();
        self.print(&[]);
    }
}

fn status_line(active: &[Step], columns: usize) -> String {
    let steps: Vec<String> =
        active.iter().map(|step| format!("{} {}s", step.name, step.started.elapsed().as_secs())).collect();
    let text = format!("… {}", steps.join(" · "));
    text.chars().take(columns.saturating_sub(1)).collect()
}

fn columns() -> usize {
    let columns = std::env::var("COLUMNS").ok();
    columns.and_then(|columns| columns.parse().ok()).unwrap_or(80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_is_cut_to_the_width_of_the_terminal() {
        let step = Step { id: 1, name: "x".repeat(200), started: Instant::now() };
        assert_eq!(status_line(&[step], 80).chars().count(), 79);
    }
}
