//! The order of the driver's modules.

use super::crates::Crate;

/// The modules of `src/`, in groups. A module may use its own group and the groups before it. The first group is the
/// leaves, which every module may use.
const ORDER: [&[&str]; 13] = [
    &["wait", "files", "events", "http", "exit", "objects", "secrets"],
    &["config"],
    &["plan"],
    &["cluster"],
    &["deploy"],
    &["load"],
    &["measure"],
    &["record"],
    &["judge"],
    &["report"],
    &["scenario"],
    &["commands"],
    &["cli"],
];

/// The crate that has this order.
const ROOT: &str = "src/lib.rs";

pub(super) fn check(crates: &[Crate]) -> Vec<String> {
    let mut problems = Vec::new();
    for driver in crates.iter().filter(|one| one.root == ROOT) {
        for file in driver.files.iter().filter(|file| file.module.len() == 1) {
            if rank(&file.module[0]).is_none() {
                problems.push(format!(
                    "{}: module {} has no place in the order: give it one in xtask/src/tidy/order.rs",
                    file.path, file.module[0]
                ));
            }
        }
        for used in driver.uses() {
            let (from, to) = (&driver.files[used.from], &driver.files[used.to]);
            // Items that `lib.rs` itself defines have no place in the order.
            let (Some(module), Some(other)) = (from.module.first(), to.module.first()) else {
                continue;
            };
            if rank(module).zip(rank(other)).is_some_and(|(module, other)| other > module) {
                problems.push(format!(
                    "{}:{}: {module} uses {other} ({}), which comes after it: move what it needs to the front, \
                     or pass it in",
                    from.path, used.line, used.item
                ));
            }
        }
    }
    problems
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|group| group.contains(&module))
}

#[cfg(test)]
mod tests {
    use super::super::crates;
    use super::super::source::Source;
    use super::*;

    /// The problems in a small driver in which one file is replaced or added.
    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut sources = vec![
            Source::new("Cargo.toml", ""),
            Source::new(
                "src/lib.rs",
                "pub mod config; pub mod plan; pub mod measure; pub mod load; pub mod record; pub mod report;\n\
                 pub mod scenario; pub mod exit; pub mod cli; pub mod commands; pub fn of_the_root() {}",
            ),
        ];
        for (module, text) in [
            ("config", "pub struct Config;"),
            ("plan", "pub struct Plan;"),
            ("measure", "mod a; pub struct Window;"),
            ("load", "mod a;"),
            ("record", "pub struct Record;"),
            ("report", "mod csv; pub struct Report;"),
            ("scenario", "mod a; pub struct Scenario;"),
            ("exit", "pub struct Error;"),
            ("cli", "pub struct Cli;"),
            ("commands", ""),
            ("measure/a", ""),
            ("load/a", ""),
            ("report/csv", ""),
            ("scenario/a", ""),
        ] {
            sources.push(Source::new(format!("src/{module}.rs"), text));
        }
        sources.retain(|source| source.path != path);
        sources.push(Source::new(path, text));
        check(&crates::load(&sources))
    }

    #[test]
    fn a_module_may_use_what_comes_before_it() {
        assert_eq!(
            problems("src/report/csv.rs", "use crate::record::Record;\nuse crate::exit::Error;"),
            [""; 0]
        );
        assert_eq!(problems("src/plan.rs", "use crate::{config::Config, exit};\nuse exit::Error;"), [""; 0]);
        assert_eq!(problems("src/scenario/a.rs", "// crate::cli::Cli\nuse crate::report::Report;"), [""; 0]);
        assert_eq!(problems("src/plan.rs", "use crate::of_the_root;"), [""; 0]);
        assert_eq!(problems("xtask/src/main.rs", "use crate::cli::Cli;"), [""; 0]);
    }

    #[test]
    fn a_planted_upward_import_is_found_with_its_line() {
        let found = problems("src/plan.rs", "//! Plan.\n\nuse crate::report::Report;");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("src/plan.rs:3: plan uses report (Report)"), "{found:?}");
        assert_eq!(problems("src/exit.rs", "fn f() { crate::config::f() }").len(), 1);
        assert_eq!(problems("src/load.rs", "use crate::measure::Window;").len(), 1);
        assert_eq!(
            problems("src/measure/a.rs", "use crate::{config::{A, B},\n  scenario::Scenario};").len(),
            1
        );
    }

    #[test]
    fn a_planted_upward_import_through_super_is_found() {
        let found = problems("src/plan.rs", "use super::report::Report;");
        assert!(found[0].starts_with("src/plan.rs:1: plan uses report (Report)"), "{found:?}");
        assert_eq!(problems("src/load/a.rs", "fn f() { super::super::measure::Window }").len(), 1);
        assert_eq!(
            problems("src/load/a.rs", "use super::super::{exit, measure};\nfn f() { measure::g() }").len(),
            1
        );
        assert_eq!(
            problems("src/config.rs", "mod inner { fn f() { vec![super::super::plan::Plan] } }").len(),
            1
        );
        assert_eq!(problems("src/plan.rs", "use self::super::cli::Cli;").len(), 1);
    }

    #[test]
    fn a_module_without_a_place_in_the_order_is_named() {
        let sources = [("Cargo.toml", ""), ("src/lib.rs", "mod helpers;"), ("src/helpers.rs", "")]
            .map(|(p, t)| Source::new(p, t));
        assert!(check(&crates::load(&sources))[0].contains("helpers has no place in the order"));
    }
}
