//! The commands of `locust-matrix` in the documents and pipelines can be parsed by its own command line.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../xtask/src/guides/code_lines.rs"]
mod code_lines;

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use code_lines::code_lines;
use locust_matrix::cli::Cli;

/// The Markdown files, and what else calls the driver.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = ["README.md", "templates/capacity.yml", ".github/workflows/capacity.yml"]
        .map(|path| root.join(path))
        .into();
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        paths.push(entry.unwrap().path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md" || extension == "yml"));
    paths
}

/// The calls in the lines of code, as words, with their line numbers. What follows a pipe, a redirection or a comment
/// is not part of a call; a call with `…` stands for many.
fn calls(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (start, joined) in code_lines(text) {
        let call = joined
            .strip_prefix("locust-matrix ")
            .map(str::to_owned)
            .or_else(|| joined.split_once("nix run \"$HARNESS\" -- ").map(|(_, rest)| rest.to_owned()));
        let Some(call) = call else { continue };
        let call = call.split(" # ").next().unwrap_or_default();
        let words = shlex::split(call).unwrap_or_else(|| panic!("{start}: a quote is not closed: {call}"));
        let ends = |word: &String| ["|", "||", "&&", ">", "<", "&", ";"].contains(&word.as_str());
        let words: Vec<String> = words.into_iter().take_while(|word| !ends(word)).collect();
        if !words.iter().any(|word| word.contains('…')) {
            found.push((start, words));
        }
    }
    found
}

fn problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (line, words) in calls(text) {
        let program = std::iter::once("locust-matrix".to_owned());
        if let Err(error) = Cli::command().try_get_matches_from(program.chain(words))
            && error.exit_code() != 0
        {
            let text = error.to_string();
            problems.push(format!("{line}: {}", text.lines().next().unwrap_or_default()));
        }
    }
    problems
}

#[test]
fn every_call_of_the_driver_in_the_documents_can_be_parsed() {
    let mut count = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        count += calls(&text).len();
        assert_eq!(problems(&text), [""; 0], "{}", path.display());
    }
    assert!(count > 20, "{count}");
}

#[test]
fn a_call_with_a_mistake_is_found() {
    let text = "    locust-matrix plan --uzers 5\n```sh\nlocust-matrix deploy --overlay bass\nlocust-matrix fly\n```\n";
    assert_eq!(problems(text).len(), 3, "{:?}", problems(text));
    assert_eq!(problems("    locust-matrix plan --users 5,10 # users\nlocust-matrix is a name\n"), [""; 0]);
}
