//! The end of a cluster, and the reasons for which it does not start.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::support::{Cluster, command, eventually, processes};

/// A cluster with a pod whose processes ignore SIGTERM.
async fn with_a_pod(arguments: &[&str]) -> Cluster {
    let cluster = Cluster::start_with(arguments).await;
    cluster.pod("busy", "trap '' TERM; sleep 1000 & touch began; wait", json!({}), json!({})).await;
    cluster.await_object::<Pod>("busy", |pod| pod["status"]["phase"] == "Running").await;
    let state = cluster.state().display().to_string();
    // The status is Running before the program has been loaded.
    eventually(|| async {
        let found = processes(&state);
        let enough = found.len() >= 4;
        if enough {
            Ok(())
        } else {
            Err(format!("{found:?} instead of the cluster, its watchdog, a shell and its child"))
        }
    })
    .await;
    cluster
}

async fn nothing_is_left(cluster: &Cluster) {
    let state = cluster.state();
    let text = state.display().to_string();
    eventually(|| async {
        let left = processes(&text);
        if left.is_empty() { Ok(()) } else { Err(format!("processes {left:?}")) }
    })
    .await;
    assert!(!state.join("pods").exists(), "its pods' files");
}

fn signal(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn after_sigterm_no_process_and_no_file_is_left() {
    let mut cluster = with_a_pod(&[]).await;
    signal(cluster.process.id(), Signal::TERM);
    let status = cluster.process.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    nothing_is_left(&cluster).await;
    assert_eq!(std::fs::read_dir(cluster.folder.path()).unwrap().count(), 0, "not even its kubeconfig");
}

#[tokio::test]
async fn after_sigkill_no_pod_is_left_and_the_folder_can_be_used_again() {
    let mut cluster = with_a_pod(&[]).await;
    cluster.process.kill().unwrap();
    cluster.process.wait().unwrap();
    nothing_is_left(&cluster).await;
    // The folder and the kubeconfig can be used again.
    let mut next = command(cluster.folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(next.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("ready: "), "{line}");
    signal(next.id(), Signal::TERM);
    assert_eq!(next.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn the_cluster_ends_with_its_parent_process() {
    let mut parent = Command::new("sleep").arg("1000").spawn().unwrap();
    let cluster = with_a_pod(&["--parent-pid", &parent.id().to_string()]).await;
    parent.kill().unwrap();
    parent.wait().unwrap();
    nothing_is_left(&cluster).await;
}

#[tokio::test]
async fn a_folder_or_port_that_is_in_use_is_reported() {
    let cluster = Cluster::start().await;
    let output = command(cluster.folder.path()).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(words.contains("another cluster is using it"), "{words}");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path()).args(["--port", &port]).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(words.contains(&format!("127.0.0.1:{port}")) && words.contains("--port 0"), "{words}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file is left");
}

/// Exit code and standard error of a cluster that does not start.
fn failure(output: Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn files_of_others_are_refused_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let foreign = "clusters: [{ name: production }]";
    std::fs::write(&kubeconfig, foreign).unwrap();
    let (code, words) = failure(command(folder.path()).output().unwrap());
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("not a kubeconfig that an embedded cluster wrote\nnext: "), "{words}");
    assert_eq!(std::fs::read_to_string(&kubeconfig).unwrap(), foreign);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no folder was created");

    std::fs::remove_file(&kubeconfig).unwrap();
    let pods = folder.path().join("state/pods");
    std::fs::create_dir_all(&pods).unwrap();
    std::fs::write(pods.join("notes"), "mine").unwrap();
    let (code, words) = failure(command(folder.path()).output().unwrap());
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("the folder contains pods") && words.contains("\nnext: "), "{words}");
    assert_eq!(std::fs::read_to_string(pods.join("notes")).unwrap(), "mine");
    assert!(!kubeconfig.exists());
}

#[tokio::test]
async fn a_start_that_fails_removes_no_kubeconfig() {
    let mut cluster = Cluster::start().await;
    let kubeconfig = cluster.folder.path().join("kubeconfig");
    let before = std::fs::read_to_string(&kubeconfig).unwrap();
    let other = tempfile::tempdir().unwrap();
    let second = || {
        let mut second = Command::new(env!("CARGO_BIN_EXE_locust-matrix-cluster"));
        second.arg("--kubeconfig").arg(&kubeconfig).arg("--state").arg(other.path().join("state"));
        second
    };
    let (code, words) = failure(second().output().unwrap());
    assert_eq!(code, Some(3));
    assert!(words.contains("another cluster is using it"), "{words}");
    assert_eq!(std::fs::read_to_string(&kubeconfig).unwrap(), before);

    // The kubeconfig of a killed cluster is replaced only by a cluster that starts.
    cluster.process.kill().unwrap();
    cluster.process.wait().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (code, words) = failure(second().args(["--port", &port]).output().unwrap());
    assert_eq!(code, Some(3), "{words}");
    assert_eq!(std::fs::read_to_string(&kubeconfig).unwrap(), before);
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_locust-matrix-cluster")).arg("--state").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn without_python_installing_locust_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_locust-matrix-cluster"))
        .args(["--pull", "locustio/locust:2.46.6", "--cache"])
        .arg(folder.path())
        .env("PATH", folder.path())
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(words.contains("Locust needs Python 3.11 or newer, and there is no python3 on PATH"), "{words}");
}

#[tokio::test]
async fn an_idle_cluster_uses_less_than_one_percent_of_a_core() {
    let cluster = with_a_pod(&[]).await;
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", cluster.process.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    // Wait until everything has started.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = ticks();
    tokio::time::sleep(Duration::from_secs(5)).await;
    // 5 ticks of 10 ms in 5 s are 1 % of a core.
    assert!(ticks() - before <= 5, "{} ticks", ticks() - before);
}
