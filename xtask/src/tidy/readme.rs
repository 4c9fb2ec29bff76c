//! Checks that the commands and flags that README.md names exist.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Subcommands, and the long flags of each.
type Commands = BTreeMap<String, BTreeSet<String>>;

/// `xtask` is this program's own command line.
pub(super) fn check(sources: &[Source], xtask: &clap::Command) -> Vec<String> {
    let readme = sources.iter().find(|source| source.path == "README.md");
    let text = readme.map_or("", |source| source.text.as_str());
    compare(text, &subcommands_of(xtask), &driver(sources))
}

fn compare(readme: &str, xtask: &Commands, driver: &Commands) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, code) in code(readme) {
        for (program, commands) in [("cargo xtask", xtask), ("locust-matrix", driver)] {
            for (name, flags) in calls(&code, program) {
                let Some(known) = commands.get(&name) else {
                    problems.push(format!("README.md:{number}: `{program} {name}` does not exist"));
                    continue;
                };
                for flag in flags.iter().filter(|flag| !known.contains(*flag)) {
                    problems.push(format!("README.md:{number}: `{program} {name}` has no {flag}"));
                }
            }
        }
        // Flags behind a bare -- are passed to the driver.
        let passed_on = code.split_once(" -- ").filter(|(call, _)| call.contains("cargo xtask"));
        for flag in passed_on.iter().flat_map(|(_, flags)| flags.split_whitespace().filter_map(flag)) {
            if !driver.values().any(|known| known.contains(&flag)) {
                problems.push(format!("README.md:{number}: `locust-matrix` has no {flag}"));
            }
        }
        // A flag that stands alone has to be a flag of either program.
        if let Some(flag) = flag(&code)
            && !xtask.values().chain(driver.values()).any(|known| known.contains(&flag))
        {
            problems.push(format!("README.md:{number}: {flag} is a flag of no command"));
        }
    }
    problems
}

/// The code in a Markdown text with its line numbers: indented and fenced lines, and text between backticks.
fn code(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            found.push((number, line.trim().to_owned()));
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(|span| (number, span.to_owned())));
        }
    }
    found
}

/// The calls of a program in a line of code, each with its subcommand and long flags.
fn calls(code: &str, program: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(program) {
        let before = code[..at].chars().next_back();
        let Some(rest) = code[at + program.len()..].strip_prefix(' ') else {
            continue;
        };
        if before.is_some_and(|c| !matches!(c, ' ' | '(' | '"' | '/')) {
            continue;
        }
        let words =
            rest.split_whitespace().take_while(|word| !matches!(*word, "--" | "#" | "|" | "&&" | ";" | ">"));
        let words: Vec<_> = words.collect();
        let Some(name) = words.first().map(|word| word.trim_end_matches([')', '"', ',', '.', ':'])) else {
            continue;
        };
        // This is a flag in front of the subcommand, or a word of a sentence.
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            continue;
        }
        if name.starts_with('-') {
            continue;
        }
        found.push((name.to_owned(), words.iter().filter_map(|word| flag(word)).collect()));
    }
    found
}

/// The long flag at the beginning of a word.
fn flag(word: &str) -> Option<String> {
    let name: String =
        word.strip_prefix("--")?.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    (!name.is_empty()).then(|| format!("--{name}"))
}

/// The subcommands of a command line that clap has built.
fn subcommands_of(program: &clap::Command) -> Commands {
    let mut commands = Commands::new();
    for command in program.get_subcommands() {
        let flags = command.get_arguments().filter_map(|argument| argument.get_long());
        let flags = flags.chain(["help"]).map(|flag| format!("--{flag}")).collect();
        commands.insert(command.get_name().to_owned(), flags);
    }
    commands
}

/// The driver's subcommands, read from its source, because xtask must not depend on the driver: it would
/// have to compile a Kubernetes client before its first command. Each of them gets all flags of the driver.
fn driver(sources: &[Source]) -> Commands {
    let sources: Vec<_> = sources.iter().filter(|source| source.path.starts_with("src/")).collect();
    let mut flags: BTreeSet<String> = sources.iter().flat_map(|source| flags_in(&source.text)).collect();
    flags.extend(["--help".to_owned(), "--version".to_owned()]);
    let cli = sources.iter().find(|source| source.path == "src/cli.rs");
    let names = cli.map(|source| subcommands_in(&source.text)).unwrap_or_default();
    names.into_iter().map(|name| (name, flags.clone())).collect()
}

/// The variants of `enum Command`.
fn subcommands_in(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.contains("enum Command {")).skip(1);
    let variants = lines.take_while(|line| *line != "}").filter_map(|line| {
        let variant = line.trim().split(['(', ' ', ',', '{']).next()?;
        variant.chars().next().is_some_and(char::is_uppercase).then(|| kebab(variant))
    });
    variants.collect()
}

/// The fields with `#[arg(long …)]`.
fn flags_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(mut attribute) = line.strip_prefix("#[arg(").map(str::to_owned) else {
            continue;
        };
        while !attribute.ends_with(")]") {
            let Some(more) = lines.next() else {
                return found;
            };
            attribute.push_str(more);
        }
        let Some(at) = attribute.find("long") else {
            continue;
        };
        let named =
            attribute[at + 4..].trim_start().strip_prefix("= \"").and_then(|rest| rest.split('"').next());
        let field = lines.find(|line| !line.starts_with("//") && !line.starts_with('#')).unwrap_or_default();
        let field = field.split(':').next().unwrap_or_default();
        let field = field.rsplit(' ').next().unwrap_or_default().replace('_', "-");
        found.push(format!("--{}", named.map_or(field, str::to_owned)));
    }
    found
}

fn kebab(variant: &str) -> String {
    let mut name = String::new();
    for c in variant.chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(c.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    fn xtask() -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name);
        let e2e = Command::new("e2e").args([flag("keep"), flag("users")]);
        Command::new("xtask").subcommands([e2e, Command::new("test")])
    }

    const CLI: &str = "\
pub enum Command {
    /// Drive
    Run(run::Arguments),
    /// Two words
    DryRun,
}
";
    const ARGS: &str = "\
    /// Users
    #[arg(long, value_name = \"LIST\")]
    pub users: Option<String>,
    #[arg(long = \"image\",
          value_name = \"X\")]
    images: Vec<Image>,
    #[arg(short)]
    quiet: bool,
    #[arg(long, help_heading = HEADING)]
    spawn_rate: Option<f64>,
";

    fn problems(readme: &str) -> Vec<String> {
        let driver = [Source::new("src/cli.rs", CLI), Source::new("src/run.rs", ARGS)];
        compare(readme, &subcommands_of(&xtask()), &super::driver(&driver))
    }

    #[test]
    fn commands_and_flags_that_exist_are_accepted() {
        let readme = "\
Use `cargo xtask e2e`, `--keep` and `locust-matrix run --image a=b`.

    cargo xtask test     # every --test this machine can run
    locust-matrix dry-run --spawn-rate 2 | kubectl apply --server-side
    column -t $(cargo xtask e2e)

The word locust-matrix means nothing here, --nonsense neither.
```yaml
preset: quick
```
";
        assert_eq!(problems(readme), [""; 0]);
    }

    #[test]
    fn a_wrong_command_or_flag_is_found_with_its_line() {
        assert_eq!(problems("\n`cargo xtask e2ee`"), ["README.md:2: `cargo xtask e2ee` does not exist"]);
        assert_eq!(
            problems("    cargo xtask e2e --usres 1"),
            ["README.md:1: `cargo xtask e2e` has no --usres"]
        );
        assert_eq!(problems("`locust-matrix fly`"), ["README.md:1: `locust-matrix fly` does not exist"]);
        assert_eq!(
            problems("`locust-matrix run --quiet`"),
            ["README.md:1: `locust-matrix run` has no --quiet"]
        );
        let passed_on = problems("`cargo xtask e2e --keep -- --users 5 --spwan-rate 2`");
        assert_eq!(passed_on, ["README.md:1: `locust-matrix` has no --spwan-rate"]);
        assert_eq!(problems("`--kepe`"), ["README.md:1: --kepe is a flag of no command"]);
    }
}
