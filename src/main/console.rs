//! Prints the events: as a live view on a terminal, as plain lines elsewhere, or as JSON for programs.
//!
//! `indicatif` paints the view: it writes each frame at once, and erases exactly what it wrote, so that nothing flickers
//! and the lines above stay in the terminal's history. `ratatui` would take the whole screen away from them, and brings
//! four times as many crates.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use locust_matrix::events::Progress;
use locust_matrix::events::live::LiveView;

/// A terminal to paint the view on, for a program that keeps the output of this one.
const TERMINAL_VARIABLE: &str = "LOCUST_MATRIX_TERMINAL";
/// The view is painted anew this often, because its time passes without events, too.
const PAINT_EVERY: Duration = Duration::from_millis(500);
/// The view has no more lines than this.
const MOST_LINES: u16 = 22;
/// So many lines above the view are written again if the terminal gets another size.
const MOST_HISTORY: usize = 100;

pub(crate) struct Console {
    json: bool,
    started: Instant,
    live: Option<Arc<Mutex<Live>>>,
    /// Whether stderr is another place than the terminal of the view, and gets every line.
    keeps_lines: bool,
}

struct Live {
    view: LiveView,
    term: Term,
    bar: ProgressBar,
    has_colours: bool,
    /// Rows and columns of the terminal at the last frame.
    size: Option<(u16, u16)>,
    /// The last lines above the view.
    history: VecDeque<String>,
}

impl Console {
    /// With `wants_view`, the events of a run are shown as a live view if there is a terminal.
    pub(crate) fn open(json: bool, wants_view: bool) -> Self {
        let other = if wants_view && !json { other_terminal() } else { None };
        let keeps_lines = other.is_some();
        let own = || Some(Term::stderr()).filter(|term| wants_view && !json && term.is_term());
        let term = other.or_else(own).filter(|_| std::env::var_os("TERM").is_none_or(|name| name != "dumb"));
        let started = Instant::now();
        let live = term.map(|term| Arc::new(Mutex::new(Live::on(term))));
        if let Some(live) = &live {
            let live = Arc::downgrade(live);
            std::thread::spawn(move || {
                while let Some(live) = live.upgrade() {
                    lock(&live).paint(started.elapsed());
                    drop(live);
                    std::thread::sleep(PAINT_EVERY);
                }
            });
        }
        Self { json, started, live, keeps_lines }
    }

    /// Whether there is a view, so that events of another process should come as JSON.
    pub(crate) const fn is_live(&self) -> bool {
        self.live.is_some()
    }

    pub(crate) fn event(&self, event: &Progress) {
        if self.json {
            stderr_line(&serde_json::to_string(event).unwrap_or_default());
            return;
        }
        let Some(live) = &self.live else {
            if is_line(event) {
                stderr_line(&event.to_string());
            }
            return;
        };
        if self.keeps_lines && is_line(event) {
            stderr_line(&event.to_string());
        }
        let now = self.started.elapsed();
        let mut live = lock(live);
        let was_running = live.view.is_running();
        let is_running = live.view.observe(event, now);
        if was_running && !is_running {
            live.bar.finish_and_clear();
        }
        if is_running && live.bar.is_finished() {
            live.bar.reset();
        }
        if !was_running || !LiveView::shows(event) {
            live.line(&event.to_string());
        }
        live.paint(now);
    }

    /// A line of the log of a Job's pod: an event, if the pod was asked for JSON.
    pub(crate) fn log_line(&self, line: &str) {
        match serde_json::from_str::<Progress>(line).ok().filter(|_| self.is_live()) {
            Some(event) => self.event(&event),
            None => match &self.live {
                Some(live) => {
                    if self.keeps_lines {
                        stderr_line(line);
                    }
                    lock(live).line(line);
                }
                None => stderr_line(line),
            },
        }
    }

    /// Erases the view, for the last message. The caller writes it on stderr; here it goes to the view's terminal if that
    /// is another one.
    pub(crate) fn close(&self, last: Option<&str>) {
        if let Some(live) = &self.live {
            let mut live = lock(live);
            live.bar.finish_and_clear();
            last.filter(|_| self.keeps_lines).into_iter().for_each(|last| live.line(last));
        }
    }
}

/// Whether an event is worth a line of its own. The signals come every few seconds, and are for the view and for
/// programs.
const fn is_line(event: &Progress) -> bool {
    !matches!(event, Progress::Signals { .. })
}

impl Live {
    fn on(term: Term) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::term(term.clone(), 20));
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let (view, history) = (LiveView::default(), VecDeque::new());
        Self { view, term, bar, has_colours, size: None, history }
    }

    /// Writes a line above the view.
    fn line(&mut self, line: &str) {
        self.history.push_back(line.to_owned());
        if self.history.len() > MOST_HISTORY {
            self.history.pop_front();
        }
        if self.bar.is_finished() || !self.view.is_running() {
            let _ = self.term.write_line(line);
        } else {
            self.bar.suspend(|| drop(self.term.write_line(line)));
        }
    }

    /// A terminal of another size has wrapped the lines anew, so that nobody knows how many lines the last frame has:
    /// the screen is written again.
    fn write_again(&mut self, room: usize) {
        self.bar.finish_and_clear();
        let _ = self.term.clear_screen();
        let kept = self.history.len().saturating_sub(room);
        for line in self.history.iter().skip(kept) {
            let _ = self.term.write_line(line);
        }
        self.bar.reset();
    }

    fn paint(&mut self, now: Duration) {
        if self.bar.is_finished() || !self.view.is_running() {
            return;
        }
        let (height, width) = self.term.size();
        let lines = self.view.lines(now, width.into(), height.saturating_sub(1).min(MOST_LINES).into());
        if self.size.replace((height, width)).is_some_and(|size| size != (height, width)) {
            self.write_again(usize::from(height).saturating_sub(1 + lines.len()));
        }
        let lines: Vec<String> =
            lines.iter().map(|line| if self.has_colours { coloured(line) } else { line.clone() }).collect();
        self.bar.set_message(lines.join("\n"));
        self.bar.tick();
    }
}

/// The line with the signs of the view in colour.
fn coloured(line: &str) -> String {
    let mut text = String::with_capacity(line.len() + 32);
    for character in line.chars() {
        let colour = match character {
            '✓' => "32",
            '✗' => "31",
            '!' => "33",
            '▶' | '▁'..='█' => "36",
            _ => {
                text.push(character);
                continue;
            }
        };
        text.push_str("\x1b[");
        text.push_str(colour);
        text.push('m');
        text.push(character);
        text.push_str("\x1b[0m");
    }
    text
}

/// The terminal that the environment names.
fn other_terminal() -> Option<Term> {
    let path = std::env::var_os(TERMINAL_VARIABLE).filter(|path| !path.is_empty())?;
    let open = || OpenOptions::new().read(true).write(true).open(&path).ok();
    let term = Term::read_write_pair(open()?, open()?);
    Some(term).filter(Term::is_term)
}

fn stderr_line(line: &str) {
    // A closed stderr must not stop the run.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A thread that has panicked ends the program, so that its half-made state is never seen.
fn lock(live: &Mutex<Live>) -> std::sync::MutexGuard<'_, Live> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}
