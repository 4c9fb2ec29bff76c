//! The view as lines.

use std::fmt::Write;
use std::time::Duration;

use super::matrix;
use super::spark::spark;
use super::state::{LiveView, Signals};
use crate::events::minutes;

/// Lines that are there besides the matrix.
const OTHERS: usize = 9;

impl LiveView {
    /// The view at this time since the program began: at most `height` lines of at most `width` characters.
    pub fn lines(&self, now: Duration, width: usize, height: usize) -> Vec<String> {
        let mut lines = vec![self.head(now)];
        let rows = height.saturating_sub(OTHERS).max(1);
        lines.push(String::new());
        lines.extend(matrix::lines(&self.scenarios, self.current, width, rows));
        lines.push(self.counts());
        lines.push(String::new());
        lines.push(self.current_line());
        lines.extend(self.sparks(width));
        lines.push(self.signals());
        lines.truncate(height);
        lines.iter().map(|line| cut(line, width)).collect()
    }

    fn head(&self, now: Duration) -> String {
        let done = self.scenarios.iter().filter(|(_, status)| !status.is_empty()).count();
        let of = if self.is_search { String::new() } else { format!("/{}", self.scenarios.len()) };
        let left = self
            .left(now)
            .map_or(String::new(), |left| format!(" · about {} left", minutes(left.as_secs_f64())));
        format!("{done}{of} scenarios{left} · {}", self.title)
    }

    /// How many scenarios have each status.
    fn counts(&self) -> String {
        let mut known: Vec<(&str, usize)> = Vec::new();
        for (_, status) in self.scenarios.iter().filter(|(_, status)| !status.is_empty()) {
            match known.iter_mut().find(|(own, _)| own == status) {
                Some((_, count)) => *count += 1,
                None => known.push((status, 1)),
            }
        }
        let each = known.iter().map(|(status, count)| format!("{} {count} {status}", matrix::sign(status)));
        each.collect::<Vec<_>>().join("   ")
    }

    fn current_line(&self) -> String {
        let Some((planned, _)) = self.current.and_then(|at| self.scenarios.get(at)) else {
            return self.doing.clone();
        };
        let load = if planned.rate.is_some() { "at" } else { "users" };
        let mut line = format!(
            "▶ replicas {} · workers {} · {load} {}: {}",
            planned.replicas,
            planned.workers,
            matrix::load(planned),
            self.doing
        );
        if let Some(figures) = self.figures.last() {
            // A String takes everything that is written to it.
            let _ = write!(line, " {:.0}/{:.0} s", figures.at_s, figures.of_s);
        }
        if self.attempt > 1 {
            let _ = write!(line, " (attempt {})", self.attempt);
        }
        line
    }

    fn sparks(&self, width: usize) -> [String; 2] {
        let ms = |us: Option<u64>| us.map_or("-".into(), |us| format!("{} ms", records::ms(us)));
        let last = self.figures.last();
        let room = width.saturating_sub(44);
        let rps: Vec<_> = self.figures.iter().map(|figures| Some(figures.rps)).collect();
        let p95: Vec<_> = self.figures.iter().map(|figures| figures.p95_us.map(|us| us as f64)).collect();
        let (now_rps, now_p95) = (
            last.map_or("-".into(), |figures| format!("{:.1} requests/s", figures.rps)),
            ms(last.and_then(|figures| figures.p95_us)),
        );
        let failed = last.and_then(|figures| figures.failures_pct);
        let failed = failed.map_or("-".into(), |share| format!("{share:.1} %"));
        let median = ms(last.and_then(|figures| figures.median_us));
        [
            format!("throughput {now_rps:>18} {:<room$} failed {failed}", spark(&rps, room)),
            format!("P95        {now_p95:>18} {:<room$} median {median}", spark(&p95, room)),
        ]
    }

    /// Steady yet? Little's law? Is the load generator late?
    fn signals(&self) -> String {
        let Some(Signals { unsteady, accounted_pct, cpu_pct, lag_us }) = &self.signals else {
            return "signals: after the first interval".to_owned();
        };
        let mut said = Vec::new();
        said.extend(accounted_pct.map(|share| format!("Little's law {share:.0} %")));
        said.extend(cpu_pct.map(|share| format!("workers' CPU {share:.0} %")));
        said.extend(lag_us.map(|us| format!("late {} ms", records::ms(us))));
        said.push(unsteady.as_ref().map_or("steady".to_owned(), |why| format!("not steady: {why}")));
        said.join(" · ")
    }
}

/// The line on one line, cut to the width. Every character that the view uses has the width of one; names may have
/// others, and characters without a form, which become spaces.
fn cut(line: &str, width: usize) -> String {
    let seen = |c: char| if c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c) { ' ' } else { c };
    let line: String = line.chars().map(seen).collect();
    if line.chars().count() <= width {
        return line;
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests;
