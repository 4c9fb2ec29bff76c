//! The command line, called as a user calls it on a machine where something is missing.

use assert_cmd::Command;
use tempfile::TempDir;

/// xtask with a target folder of its own, so that it cannot change anything of a real run.
fn xtask(target: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.env("CARGO_TARGET_DIR", target.path()).env_remove("KIND_NODE_IMAGE").env_remove("DOCKER_HOST");
    command
}

/// Runs a command and returns its exit code, stdout and stderr.
#[expect(clippy::unwrap_used, reason = "a helper of tests, which may unwrap")]
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let target = TempDir::new().unwrap();
    let (code, stdout, stderr) = run(xtask(&target).args(["e2e", "--replica", "1"]));
    assert_eq!(code, 2);
    assert_eq!(stdout, "");
    assert!(stderr.contains("--replicas"), "{stderr}");
}

#[test]
fn an_invalid_cluster_name_is_a_usage_error_with_a_next_step() {
    let target = TempDir::new().unwrap();
    let (code, _, stderr) = run(xtask(&target).args(["e2e", "--name", "../x"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("error: --name ../x:"), "{stderr}");
    assert!(stderr.contains("next: "), "{stderr}");
    assert!(std::fs::read_dir(target.path()).unwrap().next().is_none());
}

#[test]
fn help_has_examples_and_exit_codes() {
    let target = TempDir::new().unwrap();
    let (code, stdout, _) = run(xtask(&target).args(["e2e", "--help"]));
    assert_eq!(code, 0);
    assert!(stdout.contains("cargo xtask e2e --config"), "{stdout}");
    assert!(stdout.contains("130 interrupted"), "{stdout}");
}

#[test]
fn without_docker_the_next_step_says_what_to_start() {
    let target = TempDir::new().unwrap();
    let socket = target.path().join("closed.sock");
    // After this the socket file exists, but nobody listens.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let host = format!("unix://{}", socket.display());
    let (code, stdout, stderr) =
        run(xtask(&target).args(["e2e", "--cluster", "kind"]).env("DOCKER_HOST", host));
    assert_eq!(code, 3);
    assert_eq!(stdout, "");
    assert!(stderr.starts_with("cluster: none, because"), "{stderr}");
    assert!(stderr.contains("does not answer"), "{stderr}");
    assert!(stderr.contains("start Docker"), "{stderr}");
}

#[test]
fn without_any_tool_the_next_step_says_what_to_install() {
    let target = TempDir::new().unwrap();
    let (code, _, stderr) = run(xtask(&target).args(["e2e", "--cluster", "kind"]).env("PATH", ""));
    assert_eq!(code, 3);
    assert!(stderr.contains("install Docker"), "{stderr}");
    assert!(stderr.contains("install kind"), "{stderr}");
}

/// Images are built in Docker, so kind must use Docker, too, even if the user's profile names another engine.
#[test]
fn kind_is_called_with_docker_and_the_user_reads_that_another_engine_is_not_followed() {
    let target = TempDir::new().unwrap();
    let programs = TempDir::new().unwrap();
    let kind = programs.path().join("kind");
    let seen = programs.path().join("seen");
    let script = format!(
        "#!/bin/sh\necho \"$1 with $KIND_EXPERIMENTAL_PROVIDER\" >> {}\necho kind v0.32.0 go1.25.0 linux/amd64\n",
        seen.display()
    );
    std::fs::write(&kind, script).unwrap();
    std::fs::set_permissions(&kind, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let with_podman = |arguments: &[&str]| {
        let mut command = xtask(&target);
        command.args(arguments).env("PATH", programs.path()).env("KIND_EXPERIMENTAL_PROVIDER", "podman");
        // Nobody listens there.
        command.env("DOCKER_HOST", format!("unix://{}", programs.path().join("docker.sock").display()));
        run(&mut command)
    };
    let (_, stdout, _) = with_podman(&["doctor"]);
    let note = "KIND_EXPERIMENTAL_PROVIDER=podman is not followed";
    assert!(stdout.lines().any(|line| line.starts_with("✓ kind ") && line.contains(note)), "{stdout}");
    let (code, _, stderr) = with_podman(&["e2e", "--cluster", "kind"]);
    assert_eq!(code, 3);
    let note = "KIND_EXPERIMENTAL_PROVIDER=podman asks kind for podman, but images are built in Docker";
    assert!(stderr.contains(note), "{stderr}");
    assert_eq!(std::fs::read_to_string(seen).unwrap(), "version with docker\n".repeat(2));
}

#[test]
fn an_engine_on_another_machine_is_refused() {
    let target = TempDir::new().unwrap();
    let (code, _, stderr) =
        run(xtask(&target).args(["e2e", "--cluster", "kind"]).env("DOCKER_HOST", "tcp://10.0.0.1:2375"));
    assert_eq!(code, 3);
    assert!(stderr.contains("tcp://10.0.0.1:2375"), "{stderr}");
}

#[test]
fn the_first_line_says_that_the_cluster_is_embedded_and_why() {
    let target = TempDir::new().unwrap();
    // Without Python it ends before anything is compiled.
    let (code, stdout, stderr) = run(xtask(&target).args(["e2e", "--cluster", "embedded"]).env("PATH", ""));
    assert_eq!(code, 3);
    assert_eq!(stdout, "");
    assert!(stderr.starts_with("cluster: embedded, because --cluster embedded asks for it\n"), "{stderr}");
    assert!(stderr.contains("error: python3: not found, and Locust needs Python 3.11 or newer"), "{stderr}");
    let (code, _, stderr) = run(xtask(&target).arg("e2e").env("PATH", ""));
    assert_eq!(code, 3);
    assert!(stderr.starts_with("cluster: embedded, because "), "{stderr}");
    assert!(stderr.lines().next().unwrap().contains("kind: not found"), "{stderr}");
}

#[test]
fn an_existing_cluster_needs_a_context() {
    let target = TempDir::new().unwrap();
    let (code, _, stderr) = run(xtask(&target).args(["e2e", "--cluster", "existing"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("next: add --context NAME"), "{stderr}");
    let (code, _, stderr) = run(xtask(&target).args(["e2e", "--context", "production"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("add --cluster existing"), "{stderr}");
}

#[test]
fn cleanup_names_what_it_could_not_check() {
    let target = TempDir::new().unwrap();
    let (code, stdout, _) = run(xtask(&target).arg("cleanup").env("PATH", ""));
    assert_eq!(code, 0);
    assert!(stdout.contains("left alone: Docker: "), "{stdout}");
    assert!(stdout.ends_with("nothing else is left of earlier runs\n"), "{stdout}");
}

#[test]
fn doctor_names_missing_tools_and_how_to_install_them() {
    let target = TempDir::new().unwrap();
    let (code, stdout, _) = run(xtask(&target).arg("doctor").env("PATH", ""));
    assert_eq!(code, 3);
    assert!(stdout.contains("✗ kind "), "{stdout}");
    assert!(stdout.contains("→ install kind"), "{stdout}");
    assert!(stdout.contains("cannot run here: "), "{stdout}");
}

#[test]
fn long_tiers_run_only_if_they_are_named() {
    let target = TempDir::new().unwrap();
    let tiers = |arguments: &[&str]| run(xtask(&target).arg("test").args(arguments).env("PATH", "")).1;
    for name in ["faults", "soak"] {
        let stdout = tiers(&["--tier", name]);
        assert!(stdout.contains(&format!("{name:<10} not run: ")), "{stdout}");
        assert!(stdout.ends_with("0 passed, 0 failed, 1 skipped\n"), "{stdout}");
    }
    let stdout = tiers(&["--only", "embedded"]);
    assert!(stdout.contains("embedded   not run: ") && !stdout.contains("faults"), "{stdout}");
}

#[test]
fn a_required_tier_that_cannot_run_is_an_error() {
    let target = TempDir::new().unwrap();
    let (code, _, stderr) =
        run(xtask(&target).args(["test", "--only", "kind", "--require", "kind"]).env("PATH", ""));
    assert_eq!(code, 3);
    assert!(stderr.contains("--require kind: "), "{stderr}");
}

#[test]
fn a_tier_that_cannot_run_is_named_and_counted() {
    let target = TempDir::new().unwrap();
    let (code, stdout, _) = run(xtask(&target).args(["test", "--only", "kind"]).env("PATH", ""));
    assert_eq!(code, 0);
    assert!(stdout.contains("kind       not run: "), "{stdout}");
    assert!(stdout.contains("the kind tier did not run"), "{stdout}");
    assert!(stdout.ends_with("0 passed, 0 failed, 1 skipped\n"), "{stdout}");
}
