//! The length of files, and the lints of packages.

use super::source::Source;

/// The largest number of lines in a source file.
const MAX_LINES: usize = 400;

/// Whether any check reads this file.
pub(super) fn is_read(path: &str) -> bool {
    let extensions = [".rs", ".py", ".yaml", ".yml"];
    extensions.iter().any(|extension| path.ends_with(extension))
        || path.ends_with("Cargo.toml")
        || path == "README.md"
}

pub(super) fn too_long(sources: &[Source]) -> Vec<String> {
    let code = sources.iter().filter(|source| matches!(source.extension(), "rs" | "py" | "yaml" | "yml"));
    code.filter_map(|Source { path, text }| {
        let lines = text.lines().count();
        (lines > MAX_LINES).then(|| format!("{path}: {lines} lines: split it, {MAX_LINES} is the limit"))
    })
    .collect()
}

pub(super) fn without_lints(sources: &[Source]) -> Vec<String> {
    let manifests = sources.iter().filter(|source| source.path.ends_with("Cargo.toml"));
    manifests
        .filter_map(|Source { path, text }| {
            let table = match text.parse::<toml::Table>() {
                Ok(table) => table,
                Err(error) => return Some(format!("{path}: {}", error.message())),
            };
            let package = table.contains_key("package");
            let lints = table.get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
            (package && lints != Some(true)).then(|| {
                format!("{path}: does not use the workspace's lints: add `[lints]` with `workspace = true`")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_named_with_its_length() {
        let long = "x\n".repeat(401);
        let sources =
            [Source::new("a.rs", &*long), Source::new("b.rs", &long[2..]), Source::new("README.md", &*long)];
        assert_eq!(too_long(&sources), ["a.rs: 401 lines: split it, 400 is the limit"]);
        assert!(is_read("a/b.yaml") && is_read("README.md") && is_read("x/Cargo.toml"));
        assert!(!is_read("Cargo.lock") && !is_read("docs/README.md"));
    }

    #[test]
    fn a_package_without_the_workspace_s_lints_is_named() {
        let sources = [
            Source::new("Cargo.toml", "[workspace]\n"),
            Source::new("a/Cargo.toml", "[package]\nname = 'a'\n[lints]\nworkspace = true\n"),
            Source::new("b/Cargo.toml", "[package]\nname = 'b'\n"),
            Source::new("c/Cargo.toml", "[package]\nname = 'c'\n[lints]\nworkspace = false\n"),
        ];
        let problems = without_lints(&sources);
        assert_eq!(problems.len(), 2);
        assert!(problems[0].starts_with("b/Cargo.toml") && problems[1].starts_with("c/Cargo.toml"));
    }
}
