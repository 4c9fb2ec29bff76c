//! Command lines that a person can paste into a shell.

/// Quotes one word for a POSIX shell, if it needs quotes.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A command line, with the variables that were added to its environment in front.
pub(crate) fn line(env: &[(String, String)], argv: &[String]) -> String {
    let mut words: Vec<String> = env.iter().map(|(key, value)| format!("{key}={}", quote(value))).collect();
    words.extend(argv.iter().map(|word| quote(word)));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_without_special_characters_are_not_quoted() {
        assert_eq!(quote("kindest/node:v1.34.0@sha256:ab"), "kindest/node:v1.34.0@sha256:ab");
        assert_eq!(quote("--users=20,40"), "--users=20,40");
    }

    #[test]
    fn words_with_special_characters_are_quoted() {
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("$HOME"), "'$HOME'");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }

    #[test]
    fn variables_come_before_the_program() {
        let env = [("RUSTFLAGS".to_owned(), "-C target-feature=+crt-static".to_owned())];
        let argv = ["cargo".to_owned(), "build".to_owned()];
        assert_eq!(line(&env, &argv), "RUSTFLAGS='-C target-feature=+crt-static' cargo build");
    }
}
