//! A mutating admission webhook, as meshes and agents have them. It runs in the test's own process, and the API server
//! reaches it at the address that this machine has in the node's network.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use e2e::tool::{output_of, run};
use k8s_openapi::ByteString;
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use e2e::kind::KeptCluster;

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// A webhook that patches every new pod of one namespace. It is removed from the cluster when it is dropped.
pub(crate) struct Webhook<'a> {
    cluster: &'a KeptCluster,
    name: String,
    address: std::net::SocketAddr,
    state: Arc<State>,
}

struct State {
    ended: AtomicBool,
    asked: AtomicUsize,
    patch: Value,
}

impl<'a> Webhook<'a> {
    /// Registers a webhook that applies this JSON patch to every pod that is created in the cluster's namespace.
    pub(crate) fn start(cluster: &'a KeptCluster, patch: Value) -> Self {
        let node = cluster.node();
        let gateway = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
        let host =
            output_of(std::process::Command::new("docker").args(["inspect", "--format", gateway, &node]));
        let host: IpAddr = host.trim().parse().unwrap();
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (authority, config) = certificate(host);
        let state = Arc::new(State { ended: AtomicBool::new(false), asked: AtomicUsize::new(0), patch });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (config, state) = (Arc::clone(&config), Arc::clone(&shared));
                // A client that goes away is the API server's affair: it asks again.
                std::thread::spawn(move || client.and_then(|client| answer(client, config, &state)));
            }
        });
        let name = format!("injector-{}", cluster.namespace);
        let ca_bundle = base64(authority.into_bytes());
        let object = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": name },
            "webhooks": [{
                "name": "inject.mesh.example",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 5,
                "clientConfig": { "url": format!("https://{address}/inject"), "caBundle": ca_bundle },
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": cluster.namespace } },
                "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] }],
            }],
        });
        cluster.apply(&object);
        Self { cluster, name, address, state }
    }

    /// How many pods it has been asked about.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Webhook<'_> {
    fn drop(&mut self) {
        let delete = ["delete", "mutatingwebhookconfiguration", &self.name];
        run(&mut self.cluster.kubectl_without_namespace(&delete));
        self.state.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// A certificate for this address that is its own authority: the authority as PEM, and the server's side.
fn certificate(host: IpAddr) -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(SanType::IpAddress(host));
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (certificate.pem(), Arc::new(config))
}

/// Answers one request, and closes the connection.
fn answer(client: TcpStream, config: Arc<ServerConfig>, state: &State) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(tls, client));
    let mut length = 0;
    let mut line = String::new();
    while stream.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let review: Value = serde_json::from_slice(&body)?;
    state.asked.fetch_add(1, Ordering::SeqCst);
    let response = json!({
        "uid": review["request"]["uid"],
        "allowed": true,
        "patchType": "JSONPatch",
        "patch": base64(serde_json::to_vec(&state.patch)?),
    });
    let (version, kind) = (&review["apiVersion"], &review["kind"]);
    let body = json!({ "apiVersion": version, "kind": kind, "response": response }).to_string();
    let stream = stream.get_mut();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// As Kubernetes writes bytes in JSON.
fn base64(bytes: Vec<u8>) -> Value {
    serde_json::to_value(ByteString(bytes)).unwrap()
}
