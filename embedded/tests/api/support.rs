//! A server for each test, and clients for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use embedded::api::{Api, Server, Tokens};
use embedded::runtime::{NoPods, Runtime};
use embedded::store::Store;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::{KubeConfigOptions, Kubeconfig};
use reqwest::{Certificate, Method};
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A test that waits this long has failed, even on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A server that runs until it is dropped.
pub(crate) struct Cluster {
    pub(crate) store: Store,
    pub(crate) tokens: Tokens,
    pub(crate) address: SocketAddr,
    pub(crate) kubeconfig: String,
    authority: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Status code and body of an answer. The body of a log is a text, all others are objects.
pub(crate) type Answer = (u16, Value);

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::with(Arc::new(NoPods)).await
    }

    pub(crate) async fn with(runtime: Arc<dyn Runtime>) -> Self {
        // Only the first call installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (store, tokens) = (Store::new(), Tokens::new().unwrap());
        let api = Api::new(store.clone(), tokens.clone(), runtime);
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), api).await.unwrap();
        let (address, authority) = (server.address().unwrap(), server.authority().to_owned());
        let kubeconfig = server.kubeconfig().unwrap().admin();
        let task = tokio::spawn(server.serve(std::future::pending()));
        Self { store, tokens, address, kubeconfig, authority, task }
    }

    /// A client of the library kube, as the admin.
    pub(crate) async fn kube(&self) -> kube::Client {
        self.kube_with(self.tokens.admin()).await
    }

    pub(crate) async fn kube_with(&self, token: &str) -> kube::Client {
        let text = self.kubeconfig.replace(self.tokens.admin(), token);
        let config = Kubeconfig::from_yaml(&text).unwrap();
        let config =
            kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        kube::Client::try_from(config).unwrap()
    }

    pub(crate) fn http(&self) -> reqwest::Client {
        let authority = Certificate::from_pem(self.authority.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([authority]).timeout(DEADLINE).no_proxy().build().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// Sends one request as the admin.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        self.ask_as(self.tokens.admin(), method, path, media, body).await
    }

    pub(crate) async fn ask_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        media: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let request =
            self.http().request(method, self.url(path)).bearer_auth(token).header("content-type", media);
        let response = request.body(body.into()).send().await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        (code, serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, "application/json", "").await
    }

    pub(crate) async fn post(&self, path: &str, object: &Value) -> Answer {
        self.ask(Method::POST, path, "application/json", object.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, object: &Value) -> Answer {
        self.ask(Method::PUT, path, "application/json", object.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, kind: &str, patch: &Value) -> Answer {
        let media = format!("application/{kind}");
        self.ask(Method::PATCH, path, &media, patch.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str, options: &Value) -> Answer {
        self.ask(Method::DELETE, path, "application/json", options.to_string()).await
    }

    /// A TLS connection on which nothing has been sent yet.
    pub(crate) async fn connect(&self) -> TlsStream<tokio::net::TcpStream> {
        use rustls::pki_types::pem::PemObject;

        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(rustls::pki_types::CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap())
            .unwrap();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let name = rustls::pki_types::ServerName::from(self.address.ip());
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }
}

/// Checks that an answer is a `Status` with this code and reason. Returns its message.
#[track_caller]
pub(crate) fn expect_refusal((code, body): &Answer, expected: u16, reason: &str) -> String {
    assert_eq!((*code, body["kind"].as_str()), (expected, Some("Status")), "{body}");
    assert_eq!(body["code"], expected, "{body}");
    assert_eq!(body["status"], "Failure", "{body}");
    assert_eq!(body["reason"], reason, "{body}");
    body["message"].as_str().unwrap().to_owned()
}

pub(crate) const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

pub(crate) fn config_map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "a": "1" } })
}

pub(crate) fn typed_config_map(name: &str, value: &str) -> ConfigMap {
    let mut object = config_map(name);
    object["data"]["a"] = json!(value);
    serde_json::from_value(object).unwrap()
}

pub(crate) fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": "x" } },
        "spec": { "containers": [{ "name": "c", "image": "i:1" }] },
    })
}

pub(crate) fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "c", "image": "i:1" }] },
            },
        },
    })
}
