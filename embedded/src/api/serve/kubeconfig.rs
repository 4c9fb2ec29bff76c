//! Kubeconfigs for the clients of this server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::api::wire::identity::Tokens;

/// Creates kubeconfigs. They contain tokens, so only their reader may have access to them.
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    /// Address and port of the server.
    pub(super) address: String,
    /// The certificate of the authority, PEM.
    pub(super) authority: String,
    pub(super) tokens: Tokens,
}

impl Kubeconfig {
    /// The kubeconfig of the cluster's owner.
    pub fn admin(&self) -> String {
        self.text("default", self.tokens.admin())
    }

    /// The kubeconfig of a ServiceAccount. Fails if the system has no random numbers for a new token.
    pub fn service_account(&self, namespace: &str, name: &str) -> Result<String, getrandom::Error> {
        Ok(self.text(namespace, &self.tokens.service_account(namespace, name)?))
    }

    fn text(&self, namespace: &str, token: &str) -> String {
        let name = "locust-matrix-embedded";
        let cluster = json!({
            "server": format!("https://{}", self.address),
            "certificate-authority-data": STANDARD.encode(&self.authority),
        });
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": name, "cluster": cluster }],
            "users": [{ "name": name, "user": { "token": token } }],
            "contexts": [{ "name": name, "context": { "cluster": name, "user": name, "namespace": namespace } }],
            "current-context": name,
        });
        // JSON is valid YAML.
        format!("{config:#}\n")
    }
}
