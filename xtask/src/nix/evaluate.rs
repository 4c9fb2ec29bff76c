//! Evaluates the flake for every system, and compares it with what the documents promise.

use serde_json::Value;

use super::host::StandIn;
use super::tool::Nix;
use crate::failure::Failure;
use crate::folders::Folders;
use crate::run::Session;
use crate::versions::Versions;

const LINUX: [&str; 2] = ["x86_64-linux", "aarch64-linux"];
const DARWIN: [&str; 1] = ["aarch64-darwin"];

const LINUX_PACKAGES: [&str; 11] = [
    "default",
    "driver-image",
    "e2e",
    "fake-inference",
    "fake-inference-static",
    "locust-image",
    "locust-matrix",
    "locust-matrix-cluster",
    "locust-matrix-static",
    "stub-image",
    "xtask",
];
const DARWIN_PACKAGES: [&str; 3] = ["default", "fake-inference", "locust-matrix"];
/// Beside a check for each package.
const CHECKS: [&str; 6] = ["clippy", "deny", "doc", "fmt", "format", "tests"];

/// The tools that `cargo xtask e2e` and `cargo xtask ci` call, as nixpkgs names them.
const SHELL: [&str; 11] = [
    "actionlint",
    "cargo",
    "cargo-deny",
    "clippy",
    "docker-client",
    "git",
    "kind",
    "kubectl",
    "python3",
    "rustc",
    "rustfmt",
];

/// The path of each derivation, by system and name.
const DERIVATIONS: &str = "builtins.mapAttrs (_: builtins.mapAttrs (_: package: package.drvPath))";

/// What is wrong with the flake at `flake`. Packages are evaluated as notes, which say what they are made from.
pub(super) async fn problems(
    session: &Session,
    nix: &Nix,
    flake: &str,
    stand_in: &StandIn,
) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    for (output, apply) in [
        ("packages", DERIVATIONS),
        ("checks", DERIVATIONS),
        ("apps", "x: x"),
        (
            "devShells",
            "builtins.mapAttrs (_: shells: { path = shells.default.drvPath; \
             tools = map (tool: tool.pname) shells.default.nativeBuildInputs; })",
        ),
        ("formatter", "builtins.mapAttrs (_: formatter: formatter.drvPath)"),
        (
            "packages.x86_64-linux",
            "packages: builtins.mapAttrs (_: package: builtins.fromJSON (builtins.unsafeDiscardStringContext package.note)) \
             { inherit (packages) driver-image stub-image locust-image; }",
        ),
    ] {
        match evaluate(session, nix, &format!("{flake}#{output}"), stand_in, apply).await? {
            Err(error) => problems.push(format!("{output}: {error}")),
            Ok(value) => problems.extend(compare(output, &value)?),
        }
    }
    Ok(problems)
}

/// A flake of somebody else uses the overlay and `lib.mkMatrix` of ours.
pub(super) async fn consumer_problems(
    session: &Session,
    folders: &Folders,
    nix: &Nix,
    stand_in: &StandIn,
) -> Result<Vec<String>, Failure> {
    let consumer = format!("path:{}#", folders.root.join("nix/consumer").display());
    let ours = folders.root.display().to_string();
    let command = nix.command(stand_in, &["eval"]).args(["--override-input", "locust-matrix", &ours]);
    let mut problems = Vec::new();
    for output in ["packages", "devShells"] {
        let call = command.clone().arg("--json");
        let done =
            call.arg(format!("{consumer}{output}")).args(["--apply", DERIVATIONS]).run(session).await?;
        if !done.success() {
            problems.push(format!("nix/consumer: {output}: {}", error_in(&done.tail)));
        }
    }
    Ok(problems)
}

async fn evaluate(
    session: &Session,
    nix: &Nix,
    attribute: &str,
    stand_in: &StandIn,
    apply: &str,
) -> Result<Result<Value, String>, Failure> {
    let call = nix.command(stand_in, &["eval"]).args(["--json", attribute, "--apply", apply]);
    let done = call.run(session).await?;
    if done.stopped() {
        return Err(session.stop.failure());
    }
    if !done.success() {
        return Ok(Err(error_in(&done.tail)));
    }
    serde_json::from_str(&done.stdout)
        .map(Ok)
        .map_err(|error| Failure::bug(format!("nix eval: no JSON: {error}")))
}

/// The last error that nix names, which is the cause.
fn error_in(output: &str) -> String {
    let error = output.lines().rev().find_map(|line| line.trim_start().strip_prefix("error: "));
    error.map_or_else(|| output.to_owned(), str::to_owned)
}

fn compare(output: &str, value: &Value) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    if output == "packages.x86_64-linux" {
        return images(value);
    }
    expect(&mut problems, output, &names(value), &[&LINUX[..], &DARWIN].concat());
    for system in LINUX.iter().chain(&DARWIN) {
        let is_linux = LINUX.contains(system);
        let packages: &[&str] = if is_linux { &LINUX_PACKAGES } else { &DARWIN_PACKAGES };
        let of = &value[system];
        let place = format!("{output}.{system}");
        match output {
            "packages" => expect(&mut problems, &place, &names(of), packages),
            "checks" => {
                let packages = packages.iter().filter(|name| **name != "default").copied();
                let all: Vec<_> = packages.chain(CHECKS).collect();
                expect(&mut problems, &place, &names(of), &all);
            }
            "apps" => {
                let apps: &[&str] = if is_linux { &["default", "e2e"] } else { &["default"] };
                expect(&mut problems, &place, &names(of), apps);
                for name in names(of) {
                    let app = &of[&name];
                    let program = app["program"].as_str().unwrap_or_default();
                    if app["type"] != "app"
                        || !program.starts_with("/nix/store/")
                        || !program.contains("/bin/")
                    {
                        problems.push(format!("{place}.{name}: no app: {app}"));
                    }
                }
            }
            "devShells" => {
                let tools: Vec<_> =
                    of["tools"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let lacks = SHELL.iter().filter(|tool| !tools.contains(*tool));
                problems.extend(lacks.map(|tool| format!("{place}: the shell lacks {tool}")));
            }
            _ => {}
        }
    }
    Ok(problems)
}

/// The images are made from the right programs, under the names that the manifests and versions.toml have.
fn images(value: &Value) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    for (image, name, program) in [
        ("driver-image", "locust-driver", "locust-matrix-static"),
        ("stub-image", "fake-inference", "fake-inference-static"),
    ] {
        let command = value[image]["command"].as_str().unwrap_or_default();
        let words: Vec<_> = command.split_whitespace().collect();
        let has = |flag: &str, good: &dyn Fn(&str) -> bool| {
            words.windows(2).any(|pair| pair[0] == flag && good(pair[1]))
        };
        let is_program = |path: &str| {
            let main = program.strip_suffix("-static").unwrap_or(program);
            path.contains(&format!("-{program}-")) && path.ends_with(&format!("/bin/{main}"))
        };
        if !has("--name", &|given| given == name) || !has("--program", &is_program) {
            problems.push(format!("packages.{image}: not made as {name} from {program}: {command}"));
        }
    }
    let locust = &value["locust-image"];
    let (version, config) = (Versions::read()?.locust.version, &locust["config"]);
    let entry = config["Entrypoint"][0].as_str().unwrap_or_default();
    let numeric = |user: &str| user.split(':').all(|part| part.parse::<u32>().is_ok_and(|id| id > 0));
    let as_expected = locust["tag"] == *version
        && locust["name"] == "locust-matrix/locust"
        && locust["compressor"] == "none"
        && entry.starts_with("/nix/store/")
        && entry.ends_with("/bin/locust")
        && config["User"].as_str().is_some_and(numeric);
    if !as_expected {
        problems.push(format!("packages.locust-image: not an image of Locust {version}: {locust}"));
    }
    Ok(problems)
}

fn names(value: &Value) -> Vec<String> {
    value.as_object().into_iter().flat_map(|object| object.keys().cloned()).collect()
}

fn expect(problems: &mut Vec<String>, place: &str, found: &[String], expected: &[&str]) {
    for name in expected.iter().filter(|name| !found.iter().any(|one| one == *name)) {
        problems.push(format!("{place}: lacks {name}"));
    }
    for name in found.iter().filter(|name| !expected.contains(&name.as_str())) {
        problems.push(format!("{place}: {name} is not documented"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_cause_is_the_last_error() {
        let output = "error:\n  … while evaluating\n\n       error: attribute 'kindd' missing\n       at x";
        assert_eq!(error_in(output), "attribute 'kindd' missing");
    }

    #[test]
    fn an_output_that_lacks_something_is_named() {
        let mut value = json!({});
        for system in LINUX.iter().chain(&DARWIN) {
            value[system] = json!({ "default": {"type": "app", "program": "/nix/store/x/bin/y"} });
        }
        let problems = compare("apps", &value).unwrap();
        assert_eq!(problems, ["apps.x86_64-linux: lacks e2e", "apps.aarch64-linux: lacks e2e"]);
        value["x86_64-linux"]["e2e"] = json!({ "type": "application", "program": "/nix/store/x/bin/y" });
        assert!(compare("apps", &value).unwrap()[0].starts_with("apps.x86_64-linux.e2e: no app"));
    }
}
