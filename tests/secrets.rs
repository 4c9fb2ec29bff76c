//! A planted secret is in nothing that the driver prints.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::path::Path;

use assert_cmd::Command;

const SECRET: &str = "pl4nted-t0ken";

/// Runs the driver, which must fail with this exit code and print the words, but not the secret.
fn assert_fails(arguments: &[&str], variables: &[(&str, &str)], code: i32, words: &str) {
    for more in [&[][..], &["--json-events"]] {
        let mut command = Command::cargo_bin("locust-matrix").unwrap();
        // Libraries log more when a user looks for a mistake.
        command.env("RUST_LOG", "info").env_remove("KUBECONFIG").env("HOME", "/nonexistent");
        command.args(arguments).args(more).envs(variables.iter().copied());
        let ended = command.assert().code(code);
        let output = ended.get_output();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(words), "'{words}' is not in: {text}");
        assert!(!text.contains(SECRET), "{arguments:?}: {text}");
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A kubeconfig with this server and these fields of its user.
fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{server}', insecure-skip-tls-verify: true}}}}]\n\
         users:\n- name: u\n  user: {user}\n"
    )
}

#[test]
fn an_address_with_a_password_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://me:{SECRET}@inference:8000");
    let config = write(folder.path(), "matrix.yaml", &format!("inference: {{url: '{url}'}}"));
    assert_fails(&["plan", "--config", &config], &[], 2, "inference.url: it has a user or a password");
    assert_fails(&["plan"], &[("LOCUST_MATRIX_INFERENCE_URL", &url)], 2, "inference.url");
    let misplaced = write(folder.path(), "misplaced.yaml", &format!("users: '{url}'"));
    assert_fails(&["plan", "--config", &misplaced], &[], 2, "misplaced.yaml");
}

#[test]
fn the_address_of_the_api_server_is_shown_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let text = kubeconfig(&format!("https://me:{SECRET}@127.0.0.1:1"), "{}");
    let path = write(folder.path(), "kubeconfig", &text);
    assert_fails(&["cleanup", "--kubeconfig", &path], &[], 3, "127.0.0.1:1");
    assert_fails(&["cleanup", "--kubeconfig", &path, "--context", "c"], &[], 3, "127.0.0.1:1");
}

#[test]
fn a_failing_credential_plugin_is_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let user = |script: &str| {
        let exec = "apiVersion: client.authentication.k8s.io/v1, command: sh";
        let env = format!("[{{name: PLUGIN_SECRET, value: {SECRET}}}]");
        format!("{{exec: {{{exec}, args: [-c, '{script}'], env: {env}, interactiveMode: Never}}}}")
    };
    let fails = user("echo $PLUGIN_SECRET; echo $PLUGIN_SECRET >&2; exit 1");
    let path = write(folder.path(), "fails", &kubeconfig("https://127.0.0.1:1", &fails));
    assert_fails(
        &["cleanup", "--kubeconfig", &path],
        &[],
        3,
        "credential plugin sh of the kubeconfig (exec) failed: exit status: 1; it said: …",
    );
    let prints = user("echo \"{token: $PLUGIN_SECRET\"");
    let path = write(folder.path(), "prints", &kubeconfig("https://127.0.0.1:1", &prints));
    assert_fails(&["cleanup", "--kubeconfig", &path], &[], 3, "printed no ExecCredential");
}

#[test]
fn a_damaged_kubeconfig_is_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    for (name, user) in
        [("syntax", format!("{{token: {SECRET}")), ("type", format!("{{token: {SECRET}, exec: {SECRET}}}"))]
    {
        let path = write(folder.path(), name, &kubeconfig("https://127.0.0.1:1", &user));
        assert_fails(&["cleanup", "--kubeconfig", &path], &[], 3, "next: ");
        assert_fails(&["cleanup"], &[("KUBECONFIG", &path)], 3, "next: ");
    }
}
