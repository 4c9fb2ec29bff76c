//! The table, with one tool per row.

use std::fmt::Write as _;

#[derive(Debug)]
pub(super) struct Row {
    pub(super) tool: &'static str,
    pub(super) needed_by: &'static str,
    /// Whether `cargo xtask e2e` works without it.
    pub(super) optional: bool,
    /// A description of what was found, or the problem.
    pub(super) found: Result<String, String>,
    /// How to get it.
    pub(super) next: String,
}

/// Whether `cargo xtask e2e` can run with kind or with the embedded cluster.
pub(super) fn can_run(rows: &[Row]) -> bool {
    can_run_kind(rows) || can_run_embedded(rows)
}

fn can_run_kind(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.optional || row.found.is_ok())
}

/// The embedded cluster needs a compiler, Python for Locust, and a folder to keep it.
fn can_run_embedded(rows: &[Row]) -> bool {
    let has = |tool: &str| rows.iter().any(|row| row.tool == tool && row.found.is_ok());
    let has_no_folder = rows.iter().any(|row| row.tool == "cache folder" && row.found.is_err());
    has("rustc, cargo") && has("python3") && !has_no_folder
}

pub(super) fn render(rows: &[Row]) -> String {
    let width = |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
    let (tool, needed) = (width(|row| row.tool), width(|row| row.needed_by));
    let mut text = String::new();
    for row in rows {
        let (mark, found) = match (&row.found, row.optional) {
            (Ok(found), _) => ("✓", found),
            (Err(problem), false) => ("✗", problem),
            (Err(problem), true) => ("–", problem),
        };
        let found = found.lines().next().unwrap_or_default();
        let _ = writeln!(text, "{mark} {:<tool$}  {:<needed$}  {found}", row.tool, row.needed_by);
        if row.found.is_err() {
            for line in row.next.lines() {
                let _ = writeln!(text, "  {:tool$}  {:needed$}  → {line}", "", "");
            }
        }
    }
    let missing: Vec<_> =
        rows.iter().filter(|row| !row.optional && row.found.is_err()).map(|row| row.tool).collect();
    let verdict = if missing.is_empty() {
        "`cargo xtask e2e` can run here".to_owned()
    } else if can_run_embedded(rows) {
        format!(
            "`cargo xtask e2e` can run here, with the embedded cluster; not with kind: {}",
            missing.join(", ")
        )
    } else {
        format!("`cargo xtask e2e` cannot run here: {}", missing.join(", "))
    };
    let _ = writeln!(text, "\n{verdict}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(optional: bool, found: Result<&str, &str>) -> Row {
        let found = found.map(str::to_owned).map_err(str::to_owned);
        Row { tool: "kind", needed_by: "e2e", optional, found, next: "install it".into() }
    }

    #[test]
    fn only_a_missing_tool_that_is_needed_is_a_problem() {
        assert!(can_run(&[row(false, Ok("1")), row(true, Err("not found"))]));
        assert!(!can_run(&[row(false, Err("not found"))]));
    }

    #[test]
    fn a_compiler_and_python_are_enough_for_the_embedded_cluster() {
        let tool = |tool, optional, found| Row { tool, ..row(optional, found) };
        let mut rows = vec![
            tool("rustc, cargo", false, Ok("1")),
            tool("kind", false, Err("not found")),
            tool("python3", true, Ok("Python 3.12")),
        ];
        assert!(can_run(&rows));
        assert!(
            render(&rows).ends_with("with the embedded cluster; not with kind: kind\n"),
            "{}",
            render(&rows)
        );
        rows.pop();
        assert!(!can_run(&rows));
    }

    #[test]
    fn a_missing_tool_is_shown_with_its_next_step() {
        let text =
            render(&[row(false, Err("not found")), row(true, Err("not found")), row(false, Ok("0.33"))]);
        assert!(text.starts_with("✗ kind  e2e  not found\n             → install it\n– kind"), "{text}");
        assert!(text.contains("✓ kind  e2e  0.33\n"), "{text}");
        assert!(text.ends_with("cannot run here: kind\n"), "{text}");
    }
}
