//! Links in Markdown that lead to files and headings of the repository.

use std::path::Path;

/// The targets of all links, with their line numbers.
pub(super) fn of(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (line, number) in text.lines().zip(1..) {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let target = after.split(')').next().unwrap_or_default();
            found.push((number, target.to_owned()));
            rest = after;
        }
    }
    found
}

/// The links that lead to no file or no heading. Links to other hosts are not checked.
pub(super) fn dead(root: &Path, document: &Path, text: &str) -> Vec<String> {
    let folder = document.parent().unwrap_or(root);
    let mut problems = Vec::new();
    for (line, target) in of(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
        let path = if file.is_empty() { document.to_path_buf() } else { folder.join(file) };
        let found = if !path.exists() {
            false
        } else if heading.is_empty() {
            true
        } else {
            let there =
                if file.is_empty() { Some(text.to_owned()) } else { std::fs::read_to_string(&path).ok() };
            there.is_some_and(|text| headings(&text).contains(&heading.to_owned()))
        };
        if !found {
            problems.push(format!("{}:{line}: {target} leads nowhere", document.display()));
        }
    }
    problems
}

/// The names of the headings, as GitHub and GitLab make them.
fn headings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let bare = line.trim_start_matches('#');
        if fenced || bare.len() == line.len() || !bare.starts_with(' ') {
            continue;
        }
        let name = bare.trim().to_lowercase();
        let kept = name.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        found.push(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    found
}
