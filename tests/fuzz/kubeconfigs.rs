//! Kubeconfig files, and lists of them.

use assert_cmd::Command;
use locust_matrix::cluster::{Cluster, ClusterFlags};
use locust_matrix::events::Events;
use proptest::prelude::*;

use crate::damage::damaged;
use crate::expect_message;
use crate::runner::fuzz;

/// Nothing listens there. The address comes after the damage, so that no other server is ever asked.
const SERVER: &str = "https://127.0.0.1:1";

fn corpus() -> Vec<String> {
    let file = |context: &str, user: &str| {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
             contexts:\n- name: a\n  context: {{cluster: a, user: a, namespace: team}}\n\
             users:\n- name: a\n  user: {user}\n\
             clusters:\n- name: a\n  cluster: {{server: \"@\"}}\n"
        )
    };
    vec![
        file("a", "{token: secret}"),
        file("", "{}"),
        file("b", "{client-certificate-data: AAAA, client-key-data: AAAA}"),
        file("a", "{client-certificate: /nonexistent/a, client-key: /nonexistent/b}"),
        "{\"apiVersion\": \"v1\", \"kind\": \"Config\", \"clusters\": []}".into(),
        String::new(),
    ]
}

fn damaged_file() -> impl Strategy<Value = String> {
    damaged(corpus(), 3).prop_map(|text| text.replace('@', SERVER))
}

#[test]
fn fuzz_a_kubeconfig_is_used_or_refused_with_a_message() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let context = prop::option::of(prop::sample::select(vec!["a", "b", "", "\u{0}"]));
    fuzz(150, &(damaged_file(), context), |(text, context)| {
        std::fs::write(&path, &text).unwrap();
        let flags = ClusterFlags {
            kubeconfig: Some(path.clone()),
            context: context.map(Into::into),
            namespace: None,
        };
        let error = runtime.block_on(Cluster::connect(&flags, &Events::to(|_| {}))).unwrap_err();
        expect_message(&error, &text);
    });
}

/// `KUBECONFIG` may name several files. Any of them may be damaged or missing.
#[test]
fn fuzz_a_list_of_kubeconfigs_is_merged_or_refused_with_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["one", "two", "missing"].map(|name| folder.path().join(name).display().to_string());
    let lists = prop::collection::vec(0..4_usize, 1..4);
    fuzz(24, &(damaged_file(), damaged_file(), lists), |(one, two, list)| {
        std::fs::write(&paths[0], &one).unwrap();
        std::fs::write(&paths[1], &two).unwrap();
        // The last one is an empty entry.
        let list: Vec<&str> = list.iter().map(|at| paths.get(*at).map_or("", String::as_str)).collect();
        let mut driver = Command::cargo_bin("locust-matrix").unwrap();
        driver.env("KUBECONFIG", list.join(":")).env("HOME", folder.path()).env_remove("RUST_LOG");
        driver.args(["plan", "--preset", "quick", "--dry-run"]);
        let output = driver.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{text} {one:?} {two:?}");
        assert!(text.contains("error: ") && text.contains("next: "), "{text}");
    });
}
