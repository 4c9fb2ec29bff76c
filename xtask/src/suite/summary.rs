//! Counting tests, and the table at the end.

use std::fmt::Write as _;

#[derive(Debug)]
pub(super) struct Row {
    pub(super) tier: &'static str,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Ran { counts: Counts, well: bool },
    Skipped(String),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) ignored: usize,
}

impl Counts {
    /// The sum over all test binaries in the output of one `cargo test`.
    pub(super) fn read(output: &str) -> Self {
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

impl Outcome {
    /// Failed tests; a tier that did not even build is one.
    fn failed(&self) -> usize {
        match self {
            Self::Ran { counts, well } => counts.failed.max(usize::from(!well)),
            Self::Skipped(_) => 0,
        }
    }
}

pub(super) fn failed(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.outcome.failed()).sum()
}

pub(super) fn render(rows: &[Row]) -> String {
    let mut text = String::from("\ntier       result\n");
    let (mut passed, mut skipped) = (0, 0);
    for Row { tier, outcome } in rows {
        let result = match outcome {
            Outcome::Ran { counts, well } => {
                passed += counts.passed;
                let mut result = format!("ran: {} passed, {} failed", counts.passed, counts.failed);
                if counts.ignored > 0 {
                    let _ = write!(result, ", {} ignored in the code", counts.ignored);
                }
                if !well && counts.failed == 0 {
                    result.push_str(" (it did not build, or ended early: see above)");
                }
                result
            }
            Outcome::Skipped(reason) => {
                skipped += 1;
                format!("not run: {reason}")
            }
        };
        let _ = writeln!(text, "{tier:<10} {result}");
    }
    let kind = rows.iter().any(|row| row.tier == "kind" && matches!(row.outcome, Outcome::Ran { .. }));
    let _ = writeln!(text, "\nthe kind tier {}", if kind { "ran" } else { "did not run" });
    let failed = failed(rows);
    let _ = writeln!(text, "{passed} passed, {failed} failed, {skipped} skipped");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

test result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.1s
";

    #[test]
    fn all_binaries_are_counted() {
        let counts = Counts::read(OUTPUT);
        let expected = Counts { passed: 5, failed: 1, ignored: 4 };
        assert_eq!(counts, expected);
        assert_eq!(Counts::read("error: could not compile"), Counts::default());
    }

    #[test]
    fn the_last_line_is_the_count() {
        let rows = [
            Row { tier: "workspace", outcome: Outcome::Ran { counts: Counts::read(OUTPUT), well: false } },
            Row { tier: "kind", outcome: Outcome::Skipped("kind: not found".into()) },
        ];
        let text = render(&rows);
        assert!(text.contains("kind       not run: kind: not found"));
        assert!(text.contains("the kind tier did not run"));
        assert_eq!(text.lines().last(), Some("5 passed, 1 failed, 1 skipped"));
    }

    #[test]
    fn a_tier_that_does_not_build_has_failed() {
        let rows = [Row { tier: "kind", outcome: Outcome::Ran { counts: Counts::default(), well: false } }];
        assert_eq!(failed(&rows), 1);
        assert!(render(&rows).ends_with("0 passed, 1 failed, 0 skipped\n"));
    }
}
