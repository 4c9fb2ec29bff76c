//! Tests of the pipelines: each step calls a command that exists, with flags that exist, and the steps work here.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use serde_json::Value;

use crate::cli::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A line of a job.
#[derive(Debug)]
struct Step {
    file: String,
    job: String,
    line: String,
}

/// Every line that any pipeline runs.
fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    for entry in std::fs::read_dir(root().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let workflow: Value = yaml(&std::fs::read_to_string(&path).unwrap());
        for (job, content) in workflow["jobs"].as_object().unwrap() {
            for step in content["steps"].as_array().unwrap() {
                let lines = step["run"].as_str().unwrap_or_default().lines();
                steps.extend(lines.map(|line| step_of(&path, job, line)));
            }
        }
    }
    for name in [".gitlab-ci.yml", "templates/capacity.yml"] {
        let path = root().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let jobs: Value = yaml(text.split("\n---\n").last().unwrap());
        for (job, content) in jobs.as_object().unwrap() {
            for part in ["before_script", "script", "after_script"] {
                let lines = content[part].as_array().into_iter().flatten();
                steps.extend(lines.map(|line| step_of(&path, job, line.as_str().unwrap())));
            }
        }
    }
    steps
}

fn step_of(path: &Path, job: &str, line: &str) -> Step {
    let file = path.strip_prefix(root()).unwrap().display().to_string();
    Step { file, job: job.to_owned(), line: line.to_owned() }
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The words of a step, without its placeholders.
fn words(line: &str) -> Vec<String> {
    shlex::split(line).unwrap_or_else(|| panic!("{line}: a quote is not closed"))
}

/// What is wrong with a step.
fn problem(line: &str) -> Option<String> {
    let words = words(line);
    let called: Vec<&str> = words.iter().map(String::as_str).collect();
    match called.as_slice() {
        ["nix", "develop", rest @ ..] => {
            let at = rest.iter().position(|word| *word == "--command")?;
            let shell = rest[..at].first().copied().unwrap_or(".#default");
            let (".#default" | ".#docker-in-docker") = shell else {
                return Some(format!("there is no shell {shell}"));
            };
            match &rest[at + 1..] {
                ["cargo", "xtask", ..] => {
                    let error = Cli::command().try_get_matches_from(&rest[at + 2..]).err()?;
                    Some(error.to_string().lines().next().unwrap_or_default().to_owned())
                }
                other => Some(format!("no task of xtask: {other:?}")),
            }
        }
        // tests/guides.rs reads the calls of the driver with the driver's own command line.
        ["nix", "run", "$HARNESS", "--", ..]
        | ["nix", "flake", "check"]
        | ["gh", "release", "create", ..]
        | ["install", "-m", "600", ..] => None,
        other => Some(format!("a pipeline has no logic of its own: {other:?}")),
    }
}

#[test]
fn every_step_calls_a_command_that_exists() {
    let steps = steps();
    assert!(steps.len() > 18, "{steps:?}");
    for Step { file, job, line } in steps {
        assert_eq!(problem(&line), None, "{file}: {job}: {line}");
    }
}

#[test]
fn a_step_with_a_mistake_is_found() {
    for wrong in [
        "nix develop --command cargo xtask e2e --cluster kindd",
        "nix develop --command cargo xtask tset",
        "nix develop .#nothing --command cargo xtask ci",
        "nix develop --command make",
        "if true; then nix flake check; fi",
    ] {
        assert!(problem(wrong).is_some(), "{wrong}");
    }
}

#[test]
fn both_systems_run_the_same_tasks() {
    let tasks = |file: &dyn Fn(&str) -> bool| {
        let lines = steps().into_iter().filter(|step| file(&step.file)).map(|step| step.line);
        let tasks = lines.filter_map(|line| line.split_once("cargo xtask ").map(|(_, task)| task.to_owned()));
        tasks.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(tasks(&|file| file.starts_with(".github")), tasks(&|file| file == ".gitlab-ci.yml"));
}

/// The stages of the kind tests that the variables of a pipeline name.
fn named_stages(file: &str) -> Vec<String> {
    fn collect(content: &Value, stages: &mut Vec<String>) {
        for (key, value) in content.as_object().into_iter().flatten() {
            if key == "E2E_STAGES" {
                stages.extend(value.as_str().unwrap().split(',').map(str::to_owned));
            }
            collect(value, stages);
        }
        content.as_array().into_iter().flatten().for_each(|value| collect(value, stages));
    }
    let mut stages = Vec::new();
    collect(&yaml(&std::fs::read_to_string(root().join(file)).unwrap()), &mut stages);
    stages
}

/// A word that names no stage selects nothing, and the job would pass all the same.
#[test]
fn the_stages_that_the_weekly_pipelines_name_exist() {
    let tests = std::fs::read_to_string(root().join("e2e/tests/kind/main.rs")).unwrap();
    let named = named_stages(".github/workflows/weekly.yml");
    assert!(!named.is_empty());
    for name in &named {
        assert!(tests.contains(&format!("stage(\"{name}\", OnlyIfNamed, ")), "{name}");
    }
    assert_eq!(named, named_stages(".gitlab-ci.yml"));
}

/// Runs the lines of the jobs as they stand, with the stand-in for nixpkgs, and without Docker: it takes many
/// minutes. `LOCUST_MATRIX_NIX` names nix; `PIPELINE_JOBS` the jobs, for example `e2e.yml:kind`.
///
///     cargo test -p xtask -- --ignored the_steps_of_the_gate_and_of_e2e_run_here
#[test]
#[ignore = "runs whole pipelines"]
fn the_steps_of_the_gate_and_of_e2e_run_here() {
    let nix = std::env::var("LOCUST_MATRIX_NIX").unwrap_or_else(|_| "nix".into());
    let jobs = std::env::var("PIPELINE_JOBS").unwrap_or_else(|_| "gate.yml:gate,e2e.yml:kind".into());
    let folder = tempfile::tempdir().unwrap();
    let stub = root().join("nix/stub");
    // A nix that takes the stand-in; the steps do not know of it.
    let script = format!(
        "#!/bin/sh\nsubcommand=$1; shift\nexec {nix} --extra-experimental-features 'nix-command flakes' --offline \
         $subcommand --no-write-lock-file --override-input nixpkgs path:{} \"$@\"\n",
        stub.display()
    );
    let path = folder.path().join("nix");
    std::fs::write(&path, script).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, executable).unwrap();
    let kind_is_here = Command::new("docker").arg("info").output().is_ok_and(|done| done.status.success());
    let mut ran = 0;
    for Step { file, job, line } in steps() {
        let name = format!("{}:{job}", file.trim_start_matches(".github/workflows/"));
        if !jobs.split(',').any(|wanted| wanted == name) {
            continue;
        }
        let line = if kind_is_here { line } else { line.replace("--cluster kind", "--cluster embedded") };
        let paths = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let mut step = Command::new("bash");
        step.args(["-e", "-o", "pipefail", "-c", &line]).current_dir(root()).env("PATH", paths);
        // With this stand-in, Nix's packages are notes, and no programs.
        step.env("LOCUST_MATRIX_BUILDER", "cargo");
        assert!(step.status().unwrap().success(), "{file}: {job}: {line}");
        ran += 1;
    }
    assert!(ran > 0, "no step of {jobs}");
}
