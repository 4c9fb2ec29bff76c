//! The name of a client, as a label with a limited number of values.

use std::sync::{Mutex, PoisonError};

/// Number of callers that get a label of their own; later ones are counted as `other`.
pub const MOST: usize = 16;
/// The label of a request without a usable User-Agent.
pub const NONE: &str = "none";
/// The label of every caller after the first [`MOST`].
pub const OTHER: &str = "other";

const LONGEST: usize = 32;

/// The product token of a User-Agent: the text before the first `/` or space, in lower case,
/// only `a-z 0-9 . _ -`, at most 32 characters; `none` if nothing is left.
pub fn product(user_agent: Option<&[u8]>) -> String {
    let token = user_agent.unwrap_or_default().split(|&byte| byte == b'/' || byte == b' ').next();
    let name: String = token
        .unwrap_or_default()
        .iter()
        .map(u8::to_ascii_lowercase)
        .filter(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
        .take(LONGEST)
        .map(char::from)
        .collect();
    if name.is_empty() { NONE.to_owned() } else { name }
}

/// The callers seen so far, in order of appearance. `none` and `other` take no place.
#[derive(Debug, Default)]
pub struct Callers {
    seen: Mutex<Vec<String>>,
}

impl Callers {
    /// The label to count this caller under.
    pub fn label(&self, user_agent: Option<&[u8]>) -> String {
        let name = product(user_agent);
        if name == NONE || name == OTHER {
            return name;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&name) {
            return name;
        }
        if seen.len() >= MOST {
            return OTHER.to_owned();
        }
        seen.push(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_named_by_its_product_token() {
        let product = |text: &str| product(Some(text.as_bytes()));
        assert_eq!(product("python-requests/2.32.3"), "python-requests");
        assert_eq!(product("Probe 1.0"), "probe");
        assert_eq!(product("My\"Client{}\n/1"), "myclient");
        assert_eq!(product(&"x".repeat(99)), "x".repeat(32));
        assert_eq!(product(""), NONE);
        assert_eq!(product("/1.0"), NONE);
        assert_eq!(product("ü"), NONE);
        assert_eq!(super::product(None), NONE);
    }

    #[test]
    fn callers_after_the_sixteenth_are_counted_as_other() {
        let callers = Callers::default();
        assert_eq!(callers.label(None), NONE);
        for at in 0..20 {
            let name = format!("c{at}");
            let expected = if at < MOST { name.as_str() } else { OTHER };
            assert_eq!(callers.label(Some(name.as_bytes())), expected);
        }
        assert_eq!(callers.label(Some(b"c3/2")), "c3", "known callers keep their name");
        assert_eq!(callers.label(None), NONE);
    }
}
