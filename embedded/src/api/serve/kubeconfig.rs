//! Kubeconfigs for the clients of this server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::wire::identity::Tokens;

/// The name of the cluster, the user and the context in every kubeconfig.
const NAME: &str = "locust-matrix-embedded";

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
        let cluster = json!({
            "server": format!("https://{}", self.address),
            "certificate-authority-data": STANDARD.encode(&self.authority),
        });
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": NAME, "cluster": cluster }],
            "users": [{ "name": NAME, "user": { "token": token } }],
            "contexts": [{ "name": NAME, "context": { "cluster": NAME, "user": NAME, "namespace": namespace } }],
            "current-context": NAME,
        });
        // JSON is valid YAML.
        format!("{config:#}\n")
    }
}

/// Whether this is the text of a kubeconfig that an embedded cluster wrote, and nobody has added other clusters,
/// users or contexts to it.
pub(crate) fn is_own_kubeconfig(text: &str) -> bool {
    let Ok(config) = serde_saphyr::from_str::<Value>(text) else { return false };
    let names = |list: &str| config[list].as_array().into_iter().flatten().map(|item| &item["name"]);
    let mut all = ["clusters", "users", "contexts"].into_iter().flat_map(names);
    names("clusters").next().is_some() && all.all(|name| name == NAME)
}
