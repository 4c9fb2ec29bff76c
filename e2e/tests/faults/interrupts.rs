//! Main jobs that are interrupted at a random moment. Nothing of them may be left.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::leftovers::Before;
use e2e::tool::{Running, run, say};
use rustix::process::Signal;

use crate::random::Random;

const MATRIX: &str = "{replicas: [1, 2], workers: [1], users: [4], duration: 3s, max_duration: 4s, warmup: 0s, \
                      cooldown: 0s, spawn_rate: 20}";
const SIGNALS: [(Signal, &str); 3] =
    [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM"), (Signal::KILL, "SIGKILL and cleanup")];

/// How `cargo xtask e2e` is started: with the cluster's name, the folder for results, and more arguments.
pub(crate) type Start = fn(&str, &Path, &[&str]) -> Command;

/// What came of the interruptions with one signal.
#[derive(Debug, Default)]
struct Row {
    interruptions: usize,
    too_late: usize,
    codes: BTreeMap<String, usize>,
    left: usize,
}

/// Interrupts `count` main jobs at moments that the seed draws, prints what came of each, and then the table.
///
/// # Panics
/// If something was left, or a main job ended with a wrong code.
pub(crate) fn interrupt(start: Start, name: &str, seed: u64, count: usize) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let matrix = folder.path().join("matrix.yaml");
    std::fs::write(&matrix, MATRIX).expect("the folder can be written");
    let config = matrix.display().to_string();
    let job = |number: usize| {
        let results = folder.path().join(format!("results-{number}"));
        start(name, &results, &["--config", &config])
    };
    let before = Before::read();
    let mut expected = Duration::MAX;
    // The first one may have to build the programs.
    for _ in 0..2 {
        let begun = Instant::now();
        let ended = run(&mut job(0));
        expected = begun.elapsed();
        // Short scenarios may be void on a busy machine.
        assert!(matches!(ended.code, Some(0 | 5)), "{}", ended.err);
        before.assert_nothing_left(name);
    }
    say(&format!(
        "{count} interruptions with FAULTS_SEED={seed}; undisturbed: {:.0} s",
        expected.as_secs_f64()
    ));
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut failed = Vec::new();
    let (mut number, mut struck) = (0, 0);
    // One whose moment comes after its end is no interruption: another one is drawn, but not without end.
    while struck < count && number < 2 * count {
        number += 1;
        let (signal, word) = SIGNALS[struck % SIGNALS.len()];
        let moment = expected.mul_f64(Random::new(seed, number as u64).share());
        let mut running = Running::start(&mut job(number));
        let begun = Instant::now();
        while begun.elapsed() < moment && !running.has_ended() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let row = rows.entry(word).or_default();
        let (code, left) = if running.has_ended() {
            row.too_late += 1;
            expected = expected.min(begun.elapsed());
            (running.finish().code, before.left(name))
        } else {
            struck += 1;
            row.interruptions += 1;
            before.left_after(name, running, signal)
        };
        let shown = code.map_or("killed".to_owned(), |code| code.to_string());
        let is_expected = match code {
            // It may have ended in the moment of the signal.
            Some(130) => signal != Signal::KILL,
            Some(0 | 5) => true,
            None => signal == Signal::KILL,
            Some(_) => false,
        };
        let after = moment.as_secs_f64();
        let line = format!(
            "interruption {number:>2}  {word:<19}  after {after:>4.1} s  ended {shown}  left {left:?}"
        );
        say(&line);
        row.left += left.len();
        *row.codes.entry(shown).or_default() += 1;
        if !left.is_empty() || !is_expected {
            failed.push(line);
        }
    }
    say(&format!("\n{}", render(&rows)));
    assert_eq!(struck, count, "seed {seed}: too many moments lay after the end");
    assert!(failed.is_empty(), "seed {seed}: {} interruptions failed:\n{}", failed.len(), failed.join("\n"));
}

fn render(rows: &BTreeMap<&str, Row>) -> String {
    let mut text = String::from(
        "| signal | interruptions | too late | exit codes | left behind |\n|---|---|---|---|---|\n",
    );
    for (word, Row { interruptions, too_late, codes, left }) in rows {
        let codes: Vec<String> = codes.iter().map(|(code, often)| format!("{code} (× {often})")).collect();
        let codes = codes.join(", ");
        let _ = writeln!(text, "| {word} | {interruptions} | {too_late} | {codes} | {left} |");
    }
    text
}
