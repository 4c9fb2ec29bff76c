//! Damages real inputs, so that the result is nearly right.

use proptest::prelude::*;
use proptest::sample::Index;

/// What readers of text and JSON have stumbled over.
const INTERESTING: [&str; 24] = [
    "",
    "0",
    "-1",
    "1e308",
    "-1e999",
    "NaN",
    ".inf",
    "4294967296",
    "18446744073709551616",
    "9007199254740993",
    "0.1",
    "null",
    "true",
    "~",
    "[]",
    "{}",
    "\"\"",
    "\u{feff}",
    "\u{0}",
    "ä€𝄞",
    "\n",
    ": ",
    "- ",
    "&a *a",
];

/// One change of a text.
#[derive(Clone, Debug)]
enum Change {
    /// The text ends here.
    Cut(Index),
    /// Bytes are missing.
    Delete(Index, usize),
    /// A part of the text comes twice.
    Repeat(Index, usize),
    /// Two parts change places.
    Move(Index, Index, usize),
    /// A byte is another one.
    Byte(Index, u8),
    /// This word stands there, too.
    Insert(Index, &'static str),
    /// The word or number there is another one.
    Word(Index, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let word = || prop::sample::select(&INTERESTING[..]);
    prop_oneof![
        1 => at().prop_map(Change::Cut),
        2 => (at(), 1..40_usize).prop_map(|(at, length)| Change::Delete(at, length)),
        2 => (at(), 1..200_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        1 => (at(), at(), 1..100_usize).prop_map(|(from, to, length)| Change::Move(from, to, length)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        2 => (at(), word()).prop_map(|(at, word)| Change::Insert(at, word)),
        6 => (at(), word()).prop_map(|(at, word)| Change::Word(at, word)),
    ]
}

/// One of the texts of a corpus, with up to `most` changes; sometimes with none.
pub(crate) fn damaged(corpus: Vec<String>, most: usize) -> impl Strategy<Value = String> {
    (prop::sample::select(corpus), prop::collection::vec(change(), 0..=most)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for change in &changes {
            apply(&mut bytes, change);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let place = |at: Index| at.index(bytes.len() + 1);
    let range = |at: Index, length: usize| place(at)..(place(at) + length).min(bytes.len());
    match *change {
        Change::Cut(at) => bytes.truncate(place(at)),
        Change::Delete(at, length) => drop(bytes.drain(range(at, length))),
        Change::Repeat(at, length) => {
            let part = bytes[range(at, length)].to_vec();
            let at = place(at);
            bytes.splice(at..at, part);
        }
        Change::Move(from, to, length) => {
            let part: Vec<u8> = bytes.drain(range(from, length)).collect();
            let to = to.index(bytes.len() + 1);
            bytes.splice(to..to, part);
        }
        Change::Byte(at, byte) => {
            let at = place(at);
            if let Some(there) = bytes.get_mut(at) {
                *there = byte;
            }
        }
        Change::Insert(at, word) => {
            let at = place(at);
            bytes.splice(at..at, word.bytes());
        }
        Change::Word(at, word) => {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            let from = place(at);
            let begin = bytes[..from].iter().rposition(|byte| !is_part(byte)).map_or(0, |last| last + 1);
            let length = bytes[begin..].iter().take_while(|byte| is_part(byte)).count();
            bytes.splice(begin..begin + length, word.bytes());
        }
    }
}
