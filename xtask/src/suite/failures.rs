//! The words of failed tests, read from the output of `cargo test`. The summary repeats them, because pipelines show
//! the end of a log first.

/// How many failures the summary repeats, and how many lines of each.
const FAILURES: usize = 10;
const LINES: usize = 12;
/// The longest line that is repeated, in characters.
const LINE: usize = 400;

/// Returns the messages of all panics, the place first.
///
/// A message ends before the backtrace, or where another line of the runner begins.
pub(super) fn read(output: &str) -> Vec<String> {
    let mut failures = Vec::new();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        let Some((_, place)) =
            line.split_once("' panicked at ").or_else(|| line.split_once(") panicked at "))
        else {
            continue;
        };
        let message = lines.clone().take_while(|line| !is_end(line)).take(LINES);
        let message = message.map(|line| line.chars().take(LINE).collect::<String>());
        let text: Vec<String> =
            std::iter::once(place.trim_end_matches(':').to_owned()).chain(message).collect();
        let text = text.join("\n");
        if failures.len() < FAILURES && !failures.contains(&text) {
            failures.push(text);
        }
    }
    failures
}

fn is_end(line: &str) -> bool {
    ["stack backtrace:", "note: ", "test ", "took ", "failures:"].iter().any(|end| line.starts_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_panic_is_read_up_to_its_backtrace() {
        let output = "\
[team-a] stage void …
thread 'team-a' (4711) panicked at e2e/tests/kind/verdicts.rs:12:5:
assertion `left == right` failed: SUCCESS
  left: 1
 right: 2
stack backtrace:
   0: __rustc::rust_begin_unwind
thread 'main' panicked at src/a.rs:1:2:
short
note: run with `RUST_BACKTRACE=1`
test result: FAILED. 0 passed; 2 failed
";
        let expected = [
            "e2e/tests/kind/verdicts.rs:12:5\nassertion `left == right` failed: SUCCESS\n  left: 1\n right: 2",
            "src/a.rs:1:2\nshort",
        ];
        assert_eq!(read(output), expected);
    }

    #[test]
    fn a_panic_that_is_told_twice_is_listed_once() {
        let once = "thread 'a' (1) panicked at src/a.rs:1:2:\nshort\nnote: run\n";
        assert_eq!(read(&once.repeat(2)).len(), 1);
        assert!(read("test result: ok. 3 passed").is_empty());
    }

    #[test]
    fn the_summary_stays_short() {
        let one = |at: usize| format!("thread 'a' panicked at src/a.rs:{at}:2:\n{}", "long\n".repeat(50));
        let failures = read(&(0..20).map(one).collect::<String>());
        assert_eq!(failures.len(), FAILURES);
        assert_eq!(failures[0].lines().count(), 1 + LINES);
    }
}
