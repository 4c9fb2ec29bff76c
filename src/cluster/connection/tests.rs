//! Connections to API servers that answer one line.

use std::io::Write;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::exit::ExitCode;

/// A server that gives this answer to every request. Returns its port.
async fn server(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let _ = connection.read(&mut [0; 4096]).await;
            let length = answer.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
            let answer = answer.replacen("\r\n\r\n", &format!("\r\ncontent-length: {length}\r\n\r\n"), 1);
            let _ = connection.write_all(answer.as_bytes()).await;
        }
    });
    port
}

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\n\r\n{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}";
const VERSION: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"major\":\"1\",\"minor\":\"34\",\"gitVersion\":\"v1.34.0\",\"gitCommit\":\"\",\"gitTreeState\":\"\",\"buildDate\":\"\",\"goVersion\":\"\",\"compiler\":\"\",\"platform\":\"\"}";

async fn connect(port: u16, user: &str, cluster: &str) -> Result<Cluster> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'{cluster}}}}}]\n\
         users:\n- name: u\n  user: {user}\n"
    )
    .unwrap();
    let flags = ClusterFlags { kubeconfig: Some(file.path().to_owned()), ..ClusterFlags::default() };
    Cluster::connect(&flags, &Events::to(|_| {})).await
}

#[tokio::test]
async fn a_token_that_has_expired_is_one_clear_message() {
    let port = server(UNAUTHORIZED).await;
    let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAwMDB9.c2VjcmV0";
    let error = connect(port, &format!("{{token: {token}}}"), "").await.unwrap_err();
    assert_eq!(error.code, ExitCode::Preflight);
    assert!(error.message.contains("does not accept user 'u' of the kubeconfig (401)"), "{error}");
    assert!(error.message.ends_with("its token has expired at 2023-11-14T22:13:20Z"), "{error}");
    assert!(!error.to_string().contains("eyJ"), "{error}");
    // An opaque token does not show when it expires.
    let error = connect(port, "{token: opaque}", "").await.unwrap_err();
    assert!(error.message.ends_with("(401)") && error.next.unwrap().starts_with("log in again"));
}

#[tokio::test]
async fn a_token_with_a_line_break_is_refused_and_does_not_end_the_program() {
    for user in ["{token: \"secret\\n\"}", "{token: \"sec\\u0007ret\"}"] {
        let error = connect(1, user, "").await.unwrap_err();
        assert_eq!(error.code, ExitCode::Preflight);
        assert!(error.message.contains("no header can carry") && !error.message.contains("sec"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_answers_is_used_with_any_kind_of_credentials() {
    let port = server(VERSION).await;
    for user in ["{}", "{token: t}", "{username: u, password: p}"] {
        connect(port, user, "").await.unwrap();
    }
}

#[tokio::test]
async fn the_proxy_of_the_kubeconfig_is_used_and_named() {
    let proxy = server("HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    let api = server(VERSION).await;
    let error = connect(api, "{}", &format!(", proxy-url: 'http://me:pl4nted@127.0.0.1:{proxy}'")).await;
    let error = error.unwrap_err();
    assert_eq!(error.code, ExitCode::Preflight);
    assert!(error.message.contains(&format!("127.0.0.1:{proxy}/ of proxy-url")), "{error}");
    assert!(!error.message.contains("pl4nted"), "{error}");
}

#[test]
fn the_flags_for_kubectl_are_those_that_were_given() {
    let flags = |kubeconfig: Option<&str>, context: Option<&str>, namespace: Option<&str>| {
        let owned = |value: Option<&str>| value.map(str::to_owned);
        let kubeconfig = kubeconfig.map(PathBuf::from);
        ClusterFlags { kubeconfig, context: owned(context), namespace: owned(namespace) }.for_kubectl()
    };
    assert_eq!(flags(None, None, None), "");
    assert_eq!(
        flags(Some("/a b/it's"), Some("gke_p_europe-west1_c"), Some("shop")),
        "--kubeconfig '/a b/it'\\''s' --context gke_p_europe-west1_c --namespace shop "
    );
}

#[test]
fn a_pod_knows_its_own_cluster_by_its_address() {
    assert!(is_at("https://10.96.0.1/", "10.96.0.1") && is_at("https://10.96.0.1:6443/", "10.96.0.1"));
    assert!(
        is_at("https://[fd00::1]:443/", "fd00::1") && is_at("https://kubernetes.default.svc/", "10.96.0.1")
    );
    assert!(!is_at("https://10.96.0.10/", "10.96.0.1") && !is_at("https://api.example.com/", "10.96.0.1"));
    assert!(!is_at("staging (https://10.96.0.1/)", "10.96.0.1"), "a context was chosen");
    assert!(!is_at("https://kubernetes.default.svc/", ""), "this is no pod");
}
