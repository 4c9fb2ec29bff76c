//! Reads blocks of commands out of Markdown.

use std::path::Path;

use crate::failure::Failure;

/// A fenced block of commands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) line: usize,
    pub(super) text: String,
    /// Why it is not run.
    pub(super) not_run: Option<String>,
}

const NOT_RUN: &str = "<!-- not run: ";

/// The blocks that begin with ```` ```sh ````.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut before = "";
    let mut open: Option<Block> = None;
    for (line, number) in text.lines().zip(1..) {
        if let Some(mut block) = open.take() {
            if line.trim() == "```" {
                found.push(block);
            } else {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
        } else if line.trim() == "```sh" {
            let reason = before.trim().strip_prefix(NOT_RUN).and_then(|rest| rest.strip_suffix(" -->"));
            open = Some(Block { line: number, text: String::new(), not_run: reason.map(str::to_owned) });
        }
        if !line.trim().is_empty() {
            before = line;
        }
    }
    found
}

/// The calls of a program in the lines of code, as words.
#[cfg(test)]
pub(super) fn commands(text: &str, program: &str) -> Vec<(usize, Vec<String>)> {
    let call = |(number, line): (usize, String)| {
        let at = line.find(program)?;
        let called = at == 0 || line[..at].ends_with(['$', '(', ' ', ';']);
        Some((number, called.then(|| words(&line[at..])).flatten()?))
    };
    super::code_lines::code_lines(text).into_iter().filter_map(call).collect()
}

/// The words of the first command in a line, as a shell splits them; `None` if a placeholder is among them.
/// `cargo xtask` is one word, the name of the program.
#[cfg(test)]
fn words(line: &str) -> Option<Vec<String>> {
    let split = shlex::split(line.split(" # ").next().unwrap_or(line).trim_end_matches(")\""))?;
    let end = |word: &String| !matches!(word.as_str(), "|" | "&&" | "||" | ">" | "<" | ";" | "&");
    let mut words: Vec<String> = split.into_iter().take_while(end).collect();
    if words.iter().any(|word| word.contains('…')) {
        return None;
    }
    if words.first().is_some_and(|word| word == "cargo") && words.len() > 1 {
        words.remove(0);
    }
    if let Some(last) = words.last_mut() {
        *last = last.trim_end_matches(';').to_owned();
    }
    Some(words)
}

/// The names of the files in a folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let failure = |error: std::io::Error| Failure::file(folder, "read", &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failure)? {
        let entry = entry.map_err(failure)?;
        if entry.path().is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_reason_from_the_line_before() {
        let text =
            "a\n```sh\none\n```\n\n<!-- not run: needs a registry -->\n```sh\ntwo\n```\n```yaml\nx\n```\n";
        assert_eq!(
            blocks(text),
            [
                Block { line: 2, text: "one\n".into(), not_run: None },
                Block { line: 7, text: "two\n".into(), not_run: Some("needs a registry".into()) },
            ]
        );
    }

    #[test]
    fn a_command_is_split_as_a_shell_does_and_ends_at_a_pipe() {
        let text =
            "    cargo xtask e2e --objective 'p95 < 5' \\\n        --keep | less # more\ncargo xtask no\n";
        let expected = ["xtask", "e2e", "--objective", "p95 < 5", "--keep"].map(str::to_owned);
        assert_eq!(commands(text, "cargo xtask "), [(1, expected.to_vec())]);
    }
}
