//! Counts the tests, and renders the table at the end.

use std::fmt::Write as _;

use super::failures;
use super::times::{self, Time};

#[derive(Debug)]
pub(super) struct Row {
    pub(super) tier: &'static str,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Ran(Ran),
    /// With the reason.
    Skipped(String),
}

#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) counts: Counts,
    /// Whether `cargo test` succeeded.
    pub(super) succeeded: bool,
    pub(super) times: Vec<Time>,
    /// What failed tests said. Empty if all passed.
    pub(super) failures: Vec<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) ignored: usize,
}

impl Ran {
    /// Reads both streams of one `cargo test`.
    pub(super) fn read(output: &str, errors: &str, succeeded: bool) -> Self {
        let mut failures = Vec::new();
        if !succeeded {
            failures = failures::read(output);
            failures.extend(failures::read(errors));
        }
        Self { counts: Counts::read(output), succeeded, times: times::read(output), failures }
    }

    /// Both parts of a tier that runs in two.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.counts.passed += other.counts.passed;
        self.counts.failed += other.counts.failed;
        self.counts.ignored += other.counts.ignored;
        // A part that did not even build counts as one failed test.
        self.counts.failed = self.counts.failed.max(usize::from(!self.succeeded || !other.succeeded));
        self.succeeded &= other.succeeded;
        self.times.extend(other.times);
        self.failures.extend(other.failures);
        self
    }

    /// The number of failed tests. A tier that did not even build counts as one.
    fn failed(&self) -> usize {
        self.counts.failed.max(usize::from(!self.succeeded))
    }
}

impl Counts {
    /// Adds up the results of all test binaries.
    fn read(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines() {
            // `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`
            let Some((_, counts)) =
                line.trim_start().strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
            else {
                continue;
            };
            for part in counts.split("; ") {
                let (number, what) = part.split_once(' ').unwrap_or((part, ""));
                let number: usize = number.parse().unwrap_or(0);
                match what {
                    "passed" => sum.passed += number,
                    "failed" => sum.failed += number,
                    "ignored" => sum.ignored += number,
                    _ => {}
                }
            }
        }
        sum
    }
}

pub(super) fn failed(rows: &[Row]) -> usize {
    ran(rows).map(|(_, ran)| ran.failed()).sum()
}

fn ran(rows: &[Row]) -> impl Iterator<Item = (&'static str, &Ran)> {
    rows.iter().filter_map(|row| match &row.outcome {
        Outcome::Ran(ran) => Some((row.tier, ran)),
        Outcome::Skipped(_) => None,
    })
}

pub(super) fn render(rows: &[Row]) -> String {
    let mut text = String::from("\ntier       result\n");
    let mut skipped = 0;
    for Row { tier, outcome } in rows {
        let result = match outcome {
            Outcome::Ran(ran) => result(ran),
            Outcome::Skipped(reason) => {
                skipped += 1;
                format!("not run: {reason}")
            }
        };
        let _ = writeln!(text, "{tier:<10} {result}");
    }
    let times = ran(rows).flat_map(|(tier, ran)| ran.times.iter().map(move |time| (tier, time)));
    let times = times
        .map(|(tier, Time { name, seconds })| Time { name: format!("{tier:<10} {name}"), seconds: *seconds });
    let slowest = times::slowest(times.collect());
    if !slowest.is_empty() {
        text.push_str("\nslowest tests and stages\n");
    }
    for Time { name, seconds } in slowest {
        let _ = writeln!(text, "{seconds:>7.1} s  {name}");
    }
    for (tier, ran) in ran(rows) {
        for failure in &ran.failures {
            let _ = writeln!(text, "\nfailed in {tier}: {failure}");
        }
    }
    let kind = ran(rows).any(|(tier, _)| tier == "kind");
    let _ = writeln!(text, "\nthe kind tier {}", if kind { "ran" } else { "did not run" });
    let passed: usize = ran(rows).map(|(_, ran)| ran.counts.passed).sum();
    let _ = writeln!(text, "{passed} passed, {} failed, {skipped} skipped", failed(rows));
    text
}

fn result(ran: &Ran) -> String {
    let Counts { passed, failed, ignored } = ran.counts;
    let mut result = format!("ran: {passed} passed, {failed} failed");
    if ignored > 0 {
        let _ = write!(result, ", {ignored} ignored in the code");
    }
    if !ran.succeeded && failed == 0 {
        result.push_str(" (it did not build, or ended early: see above)");
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

test result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.1s
took stage killed: 45.2 s
";

    #[test]
    fn the_counts_of_all_binaries_are_added_up() {
        let expected = Counts { passed: 5, failed: 1, ignored: 4 };
        assert_eq!(Counts::read(OUTPUT), expected);
        assert_eq!(Counts::read("error: could not compile"), Counts::default());
    }

    #[test]
    fn the_last_line_is_the_count() {
        let rows = [
            Row {
                tier: "workspace",
                outcome: Outcome::Ran(Ran::read(
                    OUTPUT,
                    "thread 'a' panicked at src/a.rs:1:2:\nno room\n",
                    false,
                )),
            },
            Row { tier: "kind", outcome: Outcome::Skipped("kind: not found".into()) },
        ];
        let text = render(&rows);
        assert!(text.contains("kind       not run: kind: not found"), "{text}");
        assert!(text.contains("slowest tests and stages\n   45.2 s  workspace  stage killed\n"), "{text}");
        assert!(text.contains("\nfailed in workspace: src/a.rs:1:2\nno room\n"), "{text}");
        assert!(text.contains("the kind tier did not run"), "{text}");
        assert_eq!(text.lines().last(), Some("5 passed, 1 failed, 1 skipped"));
    }

    #[test]
    fn a_tier_that_does_not_build_has_failed() {
        let rows = [Row { tier: "kind", outcome: Outcome::Ran(Ran::default()) }];
        assert_eq!(failed(&rows), 1);
        assert!(render(&rows).ends_with("0 passed, 1 failed, 0 skipped\n"));
    }
}
