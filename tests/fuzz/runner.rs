//! Runs a property on random inputs: a few of them, always the same, with a plain `cargo test`; for
//! `FUZZ_SECONDS`, always other ones, with `cargo xtask test --tier fuzz`.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Longer than any input takes, also on a busy machine.
const HANGS_AFTER: Duration = Duration::from_mins(1);
/// Inputs between two looks at the clock.
const AT_ONCE: u32 = 200;

/// Calls `property` with inputs. `cases` is how many without `FUZZ_SECONDS` and `PROPTEST_CASES`. A panic is a failure;
/// so is an input that takes a minute.
pub(crate) fn fuzz<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) {
    let begun = Instant::now();
    let started = Arc::new(AtomicU64::new(0));
    watch(begun, Arc::downgrade(&started));
    let count = AtomicU64::new(0);
    let run = |mut runner: TestRunner| {
        let result = runner.run(strategy, |input| {
            started.store(u64::try_from(begun.elapsed().as_millis()).unwrap_or(0), Ordering::Relaxed);
            count.fetch_add(1, Ordering::Relaxed);
            property(input);
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
    };
    let config =
        |cases| Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    if let Some(seconds) = number("FUZZ_SECONDS") {
        while begun.elapsed() < Duration::from_secs(seconds) {
            run(TestRunner::new(config(AT_ONCE.min(cases))));
        }
    } else {
        let cases = number("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(cases);
        let same = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        run(TestRunner::new_with_rng(config(cases), same));
    }
    println!("{} inputs in {:.1} s", count.into_inner(), begun.elapsed().as_secs_f64());
}

/// Ends the process if one input takes too long, because a test cannot end its own thread.
fn watch(begun: Instant, started: std::sync::Weak<AtomicU64>) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    std::thread::spawn(move || {
        while let Some(started) = started.upgrade() {
            let since = Duration::from_millis(started.load(Ordering::Relaxed));
            drop(started);
            if begun.elapsed().saturating_sub(since) > HANGS_AFTER {
                eprintln!("{name}: an input takes longer than {HANGS_AFTER:?}");
                exit(101);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    });
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
