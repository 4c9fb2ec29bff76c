//! The command line as a user sees it: messages, exit codes, standard output and standard error.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod environment;
mod signals;

use std::path::Path;

use assert_cmd::Command;

fn driver() -> Command {
    let mut command = Command::cargo_bin("locust-matrix").unwrap();
    // Keeps the tests away from the developer's own clusters.
    command.env("KUBECONFIG", "/nonexistent/kubeconfig").env_remove("RUST_LOG");
    command
}

/// Runs the driver; returns the exit code, stdout and stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = driver().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_quick_plan_has_four_scenarios() {
    let (code, out, err) = run(&["plan", "--preset", "quick"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains(
            "4 scenarios, each with a warm-up of 2s, a window of 20s and a cooldown of 5s; about 2 min"
        ),
        "{out}"
    );
    assert!(
        out.contains("at most 3 min 56 s: a scenario that is not steady is measured for up to 40 s"),
        "{out}"
    );
}

#[test]
fn a_plan_shows_both_models_the_repeats_and_the_shortest_time() {
    let (code, out, err) = run(&[
        "plan",
        "--preset",
        "quick",
        "--users",
        "20",
        "--rates",
        "12.5",
        "--repeats",
        "2",
        "--drift",
        "--seed",
        "7",
        "--until",
        "stable",
        "--min-duration",
        "10s",
        "--max-duration",
        "30s",
        "--pool",
        "50",
    ]);
    assert_eq!((code, err.as_str()), (0, ""));
    for part in
        ["open, 12.5/s, ≤ 50 users", "9 scenarios", " drift ", "seed 7", "until stable: ", "for up to 30 s"]
    {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn every_settings_file_in_the_guide_is_valid() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let blocks: Vec<_> =
        guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 3);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("matrix.yaml");
    for block in blocks {
        std::fs::write(&path, block).unwrap();
        let (code, out, err) = run(&["plan", "--config", path.to_str().unwrap()]);
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("scenarios, each with"), "{out}");
    }
}

#[test]
fn a_plan_as_json_is_an_array_of_scenarios_in_order() {
    let (code, out, _) = run(&["plan", "--replicas", "4,1", "--workers", "2", "--users", "50,10", "--json"]);
    let scenarios: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    let points: Vec<_> =
        scenarios.iter().map(|s| (s["replicas"].as_u64().unwrap(), s["users"].as_u64().unwrap())).collect();
    assert_eq!((code, points), (0, vec![(4, 50), (4, 10), (1, 50), (1, 10)]));
}

#[test]
fn impossible_settings_end_with_code_2_and_are_named_with_a_next_step() {
    for (arguments, subject) in [
        (vec!["plan", "--users", "0"], "users: 0"),
        (vec!["plan", "--replicas", "1,1"], "replicas: 1 is given twice"),
        (vec!["plan", "--duration", "0s"], "duration: 0s"),
        (vec!["plan", "--spawn-rate", "0"], "spawn_rate: 0"),
        (vec!["plan", "--rates", "0"], "rates: 0 requests/s"),
        (vec!["plan", "--rates", "10", "--max-users", "0"], "max_users: 0"),
        (vec!["plan", "--repeats", "0"], "repeats: 0"),
        (vec!["plan", "--max-duration", "1s"], "max_duration: 1s is shorter"),
        (vec!["plan", "--config", "/nonexistent.yaml"], "settings file /nonexistent.yaml"),
    ] {
        let (code, out, err) = run(&arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.starts_with(&format!("error: {subject}")), "{err}");
        assert!(err.contains("next: "), "{err}");
    }
}

#[test]
fn a_search_has_no_list_of_scenarios() {
    let search = ["plan", "--preset", "quick", "--objective", "p95<500ms", "--for-users", "100", "--confirm"];
    let (code, out, err) = run(&search);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with("a search for the most users, up to 1000, with P95 < 500 ms, for replicas 1, 2"),
        "{out}"
    );
    let (code, out, _) = run(&[&search[..], &["--json"]].concat());
    assert_eq!((code, out.trim()), (0, "[]"));
    let (code, _, err) = run(&["plan", "--capacity"]);
    assert!(code == 2 && err.contains("capacity: there is no objective"), "{err}");
}

#[test]
fn a_malformed_goal_ends_with_code_2_its_position_and_an_example() {
    let (code, _, err) = run(&["plan", "--objective", "p95<soon"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("at character 5: 'soon'") && err.contains("'GET /window: p99<80ms'"), "{err}");
}

#[test]
fn a_flag_with_a_malformed_value_ends_with_code_2() {
    for arguments in [["plan", "--users", "many"], ["plan", "--preset", "huge"], ["plan", "--duration", "20"]]
    {
        let (code, _, err) = run(&arguments);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(arguments[2]), "{err}");
    }
}

#[test]
fn a_negative_number_of_users_ends_with_code_2() {
    let (code, _, err) = run(&["plan", "--users=-5"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("-5") && err.contains("--users"), "{err}");
}

/// The port is checked before the driver connects to the cluster.
#[test]
fn a_port_in_use_ends_with_code_3() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for command in ["run", "job"] {
        let (code, out, err) = run(&[command, "--kubeconfig", "/nonexistent", "--ui-port", &port]);
        assert_eq!((code, out.as_str()), (3, ""), "{err}");
        assert!(err.contains(&port) && err.contains("next: "), "{err}");
    }
}

#[test]
fn an_unknown_or_impossible_setting_in_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("matrix.yaml");
    std::fs::write(&path, "preset: quick\nuserz: [1]\n").unwrap();
    let (code, _, err) = run(&["plan", "--config", path.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(err.contains("userz") && err.contains("next: "), "{err}");
    std::fs::write(&path, "preset: quick\ninference: {metrics: /metrics}\n").unwrap();
    let (code, _, err) = run(&["plan", "--config", path.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(err.starts_with("error: inference.metrics: '/metrics'") && err.contains("next: "), "{err}");
}

#[test]
fn a_missing_cluster_ends_with_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    // A connection to port 1 of this machine is refused at once.
    let text = "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], \
                clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {}}]}";
    std::fs::write(&path, text).unwrap();
    for command in ["deploy", "job", "fetch", "run"] {
        let (code, out, err) = run(&[command, "--kubeconfig", path.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (3, ""), "{command}: {err}");
        assert!(err.contains("127.0.0.1:1") && err.contains("next: "), "{command}: {err}");
    }
    let (code, _, err) = run(&["fetch", "--kubeconfig", "/nonexistent/kubeconfig"]);
    assert_eq!(code, 3);
    assert!(err.contains("/nonexistent/kubeconfig"), "{err}");
    let (code, _, err) = run(&["fetch", "--kubeconfig", path.to_str().unwrap(), "--context", "other"]);
    assert_eq!(code, 3);
    assert!(err.contains("other"), "{err}");
}

#[test]
fn a_report_without_records_ends_with_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = run(&["report", folder.path().to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(err.contains("results.jsonl") && err.contains("next: "), "{err}");
}

#[test]
fn help_lists_every_exit_code_and_subcommand() {
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, 0);
    for word in ["0 ", "2 ", "3 ", "4 ", "5 ", "6 ", "130", "plan", "deploy", "job", "run", "fetch", "report"]
    {
        assert!(out.contains(word), "{word}: {out}");
    }
}

#[test]
fn completion_scripts_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = run(&["completions", shell]);
        assert_eq!(code, 0);
        assert!(out.contains("locust-matrix"), "{shell}");
    }
}

#[test]
fn there_is_a_man_page_for_every_subcommand() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    assert_eq!(run(&["man", pages.to_str().unwrap()]).0, 0);
    for name in ["locust-matrix", "locust-matrix-plan", "locust-matrix-job", "locust-matrix-fetch"] {
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
    }
    // A file is in the way.
    let (code, _, err) = run(&["man", pages.join("locust-matrix.1").to_str().unwrap()]);
    assert_eq!(code, 3);
    assert!(err.contains("cannot write the man pages") && err.contains("next: "), "{err}");
}

#[test]
fn every_overlay_has_the_same_objects_as_with_kubectl_kustomize() {
    let Ok(version) = std::process::Command::new("kubectl").args(["version", "--client"]).output() else {
        eprintln!("not run: kubectl is not installed");
        return;
    };
    assert!(version.status.success());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let policies = ("network-policy", "network-policy");
    for (overlay, folder) in [("base", ""), ("kind", "kind"), ("stub", "stub"), policies] {
        let built =
            std::process::Command::new("kubectl").arg("kustomize").arg(root.join(folder)).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let text = String::from_utf8(built.stdout).unwrap();
        let theirs: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text).unwrap();
        let (_, out, _) = run(&["deploy", "--overlay", overlay, "--print"]);
        let ours: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
        let key = |object: &serde_json::Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
        let sorted = |mut objects: Vec<serde_json::Value>| {
            objects.sort_by_key(key);
            objects
        };
        assert_eq!(sorted(ours), sorted(theirs), "{overlay}");
    }
}

#[test]
fn json_events_by_flag_or_by_variable_leave_stdout_as_it_is() {
    let out = |arguments: &[&str], variable: &str| {
        let mut command = Command::cargo_bin("locust-matrix").unwrap();
        let ended = command.args(arguments).env("LOCUST_MATRIX_JSON_EVENTS", variable).assert().success();
        String::from_utf8(ended.get_output().stdout.clone()).unwrap()
    };
    let plain = out(&["plan", "--preset", "quick"], "false");
    assert_eq!(out(&["plan", "--preset", "quick"], "true"), plain);
    assert_eq!(out(&["--json-events", "plan", "--preset", "quick"], "false"), plain);
    assert_eq!(out(&["plan", "--preset", "quick", "--json-events"], "false"), plain);
}

#[test]
fn an_address_with_a_slash_at_its_end_is_taken_and_a_query_is_refused_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("matrix.yaml");
    let plan = |url: &str| {
        std::fs::write(&path, format!("{{preset: quick, inference: {{url: '{url}'}}}}")).unwrap();
        run(&["plan", "--config", path.to_str().unwrap()])
    };
    assert_eq!(plan("http://inference:8000/").0, 0);
    for url in ["http://inference:8000/v1?x=1", "http://inference:8000/#top", "inference"] {
        let (code, out, err) = plan(url);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.starts_with("error: inference.url: ") && err.contains("next: "), "{err}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_printed_is_an_error_and_a_closed_pipe_is_not() {
    use std::process::Stdio;
    let binary = driver().get_program().to_owned();
    let start = |arguments: &[&str], out: Stdio| {
        let mut command = std::process::Command::new(&binary);
        command.args(arguments).stdout(out).stderr(Stdio::piped()).spawn().unwrap()
    };
    for arguments in [&["plan", "--preset", "full"][..], &["--help"], &["completions", "bash"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = start(arguments, full.into()).wait_with_output().unwrap();
        let text = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{arguments:?}: {text}");
        assert!(text.starts_with("error: the output could not be printed: "), "{text}");
        let mut closed = start(arguments, Stdio::piped());
        drop(closed.stdout.take());
        let ended = closed.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
    }
}

#[test]
fn every_file_of_a_kubeconfig_list_may_be_missing_but_not_all() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    let server = "{name: c, cluster: {server: 'http://127.0.0.1:1'}}";
    let text = format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: c}}}}]\nclusters: [{server}]\n"
    );
    std::fs::write(&there, text).unwrap();
    let there = there.to_str().unwrap();
    let connect = |list: String| {
        let output = driver().env("KUBECONFIG", list).args(["cleanup", "--dry-run"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8(output.stderr).unwrap()
    };
    for list in [
        format!("/nonexistent/a:{there}"),
        format!("{there}:/nonexistent/a"),
        format!(":{there}"),
        format!("{there}:"),
    ] {
        let text = connect(list);
        assert!(text.contains("cluster http://127.0.0.1:1/ does not answer"), "{text}");
    }
    let text = connect("/nonexistent/a:/nonexistent/b".into());
    assert!(text.contains("/nonexistent/a, /nonexistent/b"), "{text}");
}
