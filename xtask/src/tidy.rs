//! `cargo xtask tidy`: checks rules for the source code, and README.md against the command lines.

mod circles;
mod crates;
mod dependencies;
mod files;
mod licence;
mod order;
mod readme;
mod scope;
mod source;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::failure::{BUG, Failure, PREFLIGHT};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::Cmd;
use crate::run::stop::StopRequests;
use source::Source;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {}

const HELP: &str = "\
Checks that modules of the driver use only modules that come before them, that no modules use
each other in a circle, that every package takes the workspace's lints, that no source file has
more than 400 lines, that the commands and flags in README.md exist, and that licences, sources
and versions of the dependencies keep to deny.toml.

Exit codes: 0 tidy, 1 not tidy, 3 git is missing, 130 interrupted.";

/// `xtask` is this program's own command line, to compare README.md with.
pub(crate) async fn run(
    Args {}: Args,
    stop: Arc<StopRequests>,
    xtask: &clap::Command,
) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let session = Session::open(stop, &folders.target.join("xtask-tidy").join("commands.log"), false)?;
    check(&session, &folders, xtask).await
}

pub(crate) async fn check(
    session: &Session,
    folders: &Folders,
    xtask: &clap::Command,
) -> Result<(), Failure> {
    let root = &folders.root;
    // Includes files that are not committed yet, but not those that git ignores.
    let listed = Cmd::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .folder(root)
        .run(session)
        .await?;
    let listed = listed.require_success(session, PREFLIGHT, "run it in a clone of the repository")?;
    let mut sources = Vec::new();
    for path in listed.stdout.lines().filter(|path| files::is_read(path)) {
        // A file whose deletion is not committed is still listed.
        if let Ok(text) = std::fs::read_to_string(root.join(path)) {
            sources.push(Source::new(path, text));
        }
    }
    let mut problems = problems(&sources, xtask);
    problems.extend(dependency_problems(session, root).await?);
    if problems.is_empty() {
        session.progress.line(&format!("tidy: {} files", sources.len()));
        return Ok(());
    }
    for problem in &problems {
        let _ = writeln!(std::io::stdout(), "{problem}");
    }
    let count = problems.len();
    let what = format!("the repository is not tidy: {count} problem{}", if count == 1 { "" } else { "s" });
    Err(Failure::new(BUG, what, "correct the problems above, and run `cargo xtask tidy` again"))
}

async fn dependency_problems(session: &Session, root: &Path) -> Result<Vec<String>, Failure> {
    let path = root.join(dependencies::RULES);
    let unusable = |problem: String| {
        Failure::new(BUG, format!("{}: {problem}", path.display()), "correct it, as cargo-deny describes it")
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
    let rules: dependencies::Rules = toml::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let mut metadata = Vec::new();
    for target in &rules.graph.targets {
        let words = ["metadata", "--format-version=1", "--locked", "--filter-platform", target];
        let listed = Cmd::new("cargo").args(words).folder(root).run(session).await?;
        let listed = listed.require_success(session, PREFLIGHT, "read what cargo says above")?;
        let read = serde_json::from_str(&listed.stdout);
        metadata.push(read.map_err(|error| Failure::bug(format!("`cargo metadata`: {error}")))?);
    }
    Ok(dependencies::check(&rules, &metadata))
}

fn problems(sources: &[Source], xtask: &clap::Command) -> Vec<String> {
    let crates = crates::load(sources);
    let mut problems: Vec<String> = crates.iter().flat_map(|one| one.problems.iter().cloned()).collect();
    problems.extend(order::check(&crates));
    problems.extend(circles::check(&crates));
    problems.extend(files::too_long(sources));
    problems.extend(files::without_lints(sources));
    problems.extend(readme::check(sources, xtask));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: &str = "[package]\n[lints]\nworkspace = true\n";

    /// The problems of a small repository in which one file is replaced or added.
    fn with(path: &str, text: &str) -> Vec<String> {
        let mut sources = vec![
            Source::new("Cargo.toml", PACKAGE),
            Source::new("src/lib.rs", "pub mod plan; pub mod report;"),
            Source::new("src/plan.rs", "pub struct Plan;"),
            Source::new("src/report.rs", "use super::plan::Plan;\npub struct Report(Plan);"),
            Source::new("e2e/Cargo.toml", PACKAGE),
            Source::new("e2e/src/lib.rs", "pub mod one; pub mod two;"),
            Source::new("e2e/src/one.rs", "use crate::two::g;\npub fn f() { g() }"),
            Source::new("e2e/src/two.rs", "pub fn g() {}"),
            Source::new("README.md", "Use `cargo xtask e2e --keep`."),
        ];
        sources.retain(|source| source.path != path);
        sources.push(Source::new(path, text));
        let keep = clap::Arg::new("keep").long("keep");
        let xtask = clap::Command::new("xtask").subcommand(clap::Command::new("e2e").arg(keep));
        problems(&sources, &xtask)
    }

    #[test]
    fn a_repository_without_a_mistake_is_tidy() {
        assert_eq!(with("README.md", "Use `cargo xtask e2e`."), [""; 0]);
    }

    #[test]
    fn each_planted_mistake_is_reported_once() {
        for (path, text, expected) in [
            (
                "e2e/src/two.rs",
                "pub fn g() { super::one::f() }",
                "its modules use each other in a circle: one, two",
            ),
            (
                "src/plan.rs",
                "use super::report::Report;\npub struct Plan;",
                "src/plan.rs:1: plan uses report",
            ),
            ("README.md", "Use `cargo xtask e2e --keeep`.", "README.md:1: `cargo xtask e2e` has no --keeep"),
            ("e2e/Cargo.toml", "[package]\n", "e2e/Cargo.toml: does not use the workspace's lints"),
            (
                "src/plan.rs",
                "mod gone;\npub struct Plan;",
                "src/plan.rs: the file of `mod gone` is not there",
            ),
        ] {
            let found = with(path, text);
            // An upward import closes a circle, too, whose report repeats the line.
            let found: Vec<_> = found
                .iter()
                .filter(|problem| {
                    problem.trim_start().starts_with(expected) || problem.contains(&format!(": {expected}"))
                })
                .collect();
            assert_eq!(found.len(), 1, "{expected}: {found:?}");
        }
    }
}
