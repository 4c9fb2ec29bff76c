//! Compares results for fixed inputs with files: the probes and the answers of searches, the verdicts of measurements, and the
//! files of reports. Other tests say what is right. These show which results a change alters, as users would read them. After
//! an intended change, `UPDATE_EXPECT=1 cargo test --lib golden` writes the files anew; commit them with the change.

use std::fmt::Write as _;

use ::records::{Mode, Search};

mod judgements;
mod reports;
mod searches;

#[expect(dead_code, reason = "the calibration needs more of it")]
#[path = "../tests/calibration/cell.rs"]
mod cell;
#[path = "../tests/report/matrix.rs"]
mod matrix;
#[path = "../tests/calibration/measurement.rs"]
mod measurement;
#[path = "../tests/calibration/system.rs"]
mod system;

/// A number from 0 to 1 that depends on the seed alone, the same on every machine.
fn chance(seed: u64) -> f64 {
    // SplitMix64, https://prng.di.unimi.it/splitmix64.c
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A text with at most four digits after the point of each number: the last digits of logarithms differ between C libraries.
fn rounded(text: &str) -> String {
    let mut rounded = String::new();
    let mut number = String::new();
    for character in text.chars().chain(['\0']) {
        if character.is_ascii_digit() || (character == '.' && !number.is_empty()) {
            number.push(character);
            continue;
        }
        match number.parse::<f64>() {
            Ok(value) if number.contains('.') && !number.ends_with('.') => {
                let _ = write!(rounded, "{value:.4}");
            }
            _ => rounded.push_str(&number),
        }
        number.clear();
        if character != '\0' {
            rounded.push(character);
        }
    }
    rounded
}

/// A search of these replicas with at most 12 probes each, for P95 < 500 ms.
fn search(mode: Mode, replicas: &[u32]) -> Search {
    Search {
        mode,
        replicas: replicas.to_vec(),
        workers: 1,
        most: 1000.0,
        most_probes: 12,
        most_s: None,
        goal_s: Some(0.5),
        pool: None,
        most_pool: 1000,
        wanted: None,
        confirm: false,
        confirmations: 1,
    }
}
