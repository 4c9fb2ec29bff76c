//! What comes out of fixed inputs, compared with files: what a search measures next and finds, what a measurement is worth,
//! and what the reports say. The other tests say what is right; these show what a change changes, in the words that users
//! read. After a change on purpose, `UPDATE_EXPECT=1 cargo test --lib golden` writes the files anew, and their difference is
//! part of the change.

use std::fmt::Write as _;

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
