//! The direction of the driver's modules, from their `crate::…` paths.

use super::Source;

/// Anyone may use these; they use only each other.
const LEAVES: [&str; 5] = ["exit", "wait", "files", "http", "events"];
/// Each may use what is to its left. The last three conduct.
const ORDER: [&str; 11] = [
    "config", "plan", "cluster", "deploy", "load", "measure", "record", "report", "scenario", "commands",
    "cli",
];

/// Against the direction, and why that is borne.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

/// Problems, and exceptions that were made use of.
pub(super) fn check(sources: &[Source]) -> (Vec<String>, Vec<String>) {
    let (mut problems, mut exceptions) = (Vec::new(), Vec::new());
    let mut needed = [false; EXCEPTIONS.len()];
    for Source { path, text } in sources {
        let Some(module) = module(path) else {
            continue;
        };
        let Some(rank) = rank(module) else {
            problems.push(format!("{path}: module {module} has no place in the order: give it one in tidy"));
            continue;
        };
        for (line, used) in used(text) {
            // What is no module is an item of the crate's root.
            if used == module || self::rank(&used).is_none_or(|used| used <= rank) {
                continue;
            }
            let place = format!("{path}:{line}: {module} uses {used}");
            let exception = EXCEPTIONS.iter().position(|(from, to, _)| *from == module && *to == used);
            match exception {
                Some(at) => {
                    needed[at] = true;
                    exceptions.push(format!("{place}: {}", EXCEPTIONS[at].2));
                }
                None => problems.push(format!(
                    "{place}, which is to its right: move what it needs to the left, or pass it in"
                )),
            }
        }
    }
    for ((from, to, _), needed) in EXCEPTIONS.iter().zip(needed) {
        if !needed {
            problems.push(format!("the exception of {from} for {to} is not needed any more: take it out"));
        }
    }
    (problems, exceptions)
}

/// The driver's module that a file belongs to; nothing for its roots and for other members.
fn module(path: &str) -> Option<&str> {
    let name = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let module = name.split('/').next()?;
    (!matches!(module, "lib" | "main")).then_some(module)
}

/// All leaves stand left of everything.
fn rank(module: &str) -> Option<usize> {
    if LEAVES.contains(&module) {
        return Some(0);
    }
    ORDER.iter().position(|name| *name == module).map(|at| at + 1)
}

/// Line and first name of every path that begins with `crate::`, groups included.
fn used(text: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let boundary =
            code[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '$');
        if !boundary {
            continue;
        }
        let rest = &code[at + path.len()..];
        let line = code[..at].matches('\n').count() + 1;
        match rest.strip_prefix('{') {
            Some(group) => found.extend(names(group).into_iter().map(|name| (line, name))),
            None => found.push((line, name(rest))),
        }
    }
    found
}

fn name(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first names in a group, up to its closing brace.
fn names(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = vec![name(group)];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn with(path: &str, text: &str) -> Vec<String> {
        check(&[source(path, text)]).0
    }

    #[test]
    fn to_the_left_is_right() {
        assert_eq!(with("src/report/csv.rs", "use crate::record::Record;\nuse crate::exit::Error;"), [""; 0]);
        assert_eq!(with("src/plan.rs", "use crate::{config::Config, exit};\nuse crate::plan::x;"), [""; 0]);
        assert_eq!(with("src/scenario/a.rs", "// crate::cli\nuse crate::report::many;"), [""; 0]);
        assert_eq!(with("src/lib.rs", "use crate::cli;"), [""; 0]);
        assert_eq!(with("xtask/src/run.rs", "use crate::cli;"), [""; 0]);
    }

    #[test]
    fn a_planted_mistake_is_found_with_its_line() {
        let problems = with("src/plan.rs", "//! Plan.\n\nuse crate::report::Report;");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("src/plan.rs:3: plan uses report"), "{problems:?}");
        assert_eq!(with("src/exit.rs", "fn f() { crate::config::f() }").len(), 1);
        assert_eq!(with("src/load.rs", "use crate::measure::Window;").len(), 1);
        assert_eq!(with("src/measure/a.rs", "use crate::{config::{A, B},\n  scenario::C};").len(), 1);
        assert_eq!(with("src/commands.rs", "pub(in crate::cli) fn f() {}").len(), 1);
    }

    #[test]
    fn a_module_has_a_place_and_an_exception_has_a_use() {
        assert!(with("src/helpers.rs", "")[0].contains("no place in the order"));
        assert_eq!(check(&[]).0.len(), EXCEPTIONS.len());
    }
}
