//! HTTP requests to a single pod: at its own address from inside the cluster, through a forwarded port from
//! outside.

use reqwest::Client;

use super::connection::Cluster;
use super::forward::{Destination, PortForward};
use super::pods::PodSummary;

/// How this program reaches a single pod.
#[derive(Clone, Debug)]
pub enum PodHttp {
    /// From inside the cluster: at the pod's own address.
    InsideCluster(Client),
    /// From outside the cluster: through a port that the API server forwards.
    OutsideCluster(Client, Cluster),
    /// In tests: a function answers for the pods.
    #[cfg(test)]
    Scripted(ScriptedPods),
}

/// What each pod answers in a test.
#[cfg(test)]
#[derive(Clone)]
pub struct ScriptedPods(pub std::sync::Arc<dyn Fn(&PodSummary) -> String + Send + Sync>);

#[cfg(test)]
impl std::fmt::Debug for ScriptedPods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScriptedPods")
    }
}

impl PodHttp {
    /// The body that the pod answers at `port_and_path`, such as `8000/metrics`; `None` if it does not answer
    /// with success.
    pub async fn get(&self, pod: &PodSummary, port_and_path: &str) -> Option<String> {
        let (port, path) = port_and_path.split_once('/')?;
        match self {
            Self::InsideCluster(client) => {
                let ip = pod.ip.as_deref()?;
                let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
                get_text(client, &format!("http://{host}:{port}/{path}")).await
            }
            #[cfg(test)]
            Self::Scripted(ScriptedPods(answer)) => Some(answer(pod)),
            Self::OutsideCluster(client, cluster) => {
                let destination = Destination::Pod(pod.name.clone());
                let forward = PortForward::open(cluster, destination, port.parse().ok()?).await.ok()?;
                get_text(client, &format!("{}/{path}", forward.url)).await
            }
        }
    }
}

async fn get_text(client: &Client, url: &str) -> Option<String> {
    client.get(url).send().await.ok()?.error_for_status().ok()?.text().await.ok()
}
