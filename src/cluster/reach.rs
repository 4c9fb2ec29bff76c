//! How a pod's own pages are reached: at its address from inside the cluster, through a forwarded port
//! from outside.

use reqwest::Client;

use super::{Cluster, Destination, Forward, PodId};

/// Where this program runs, as far as addresses are concerned.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Inside: pods and services have addresses.
    Inside(Client),
    /// Outside: the API server is the only way in.
    Outside(Client, Cluster),
    /// What a test says that a pod's page holds.
    #[cfg(test)]
    Scripted(Script),
}

/// Pages by pod, for tests.
#[cfg(test)]
#[derive(Clone)]
pub struct Script(pub std::sync::Arc<dyn Fn(&PodId) -> String + Send + Sync>);

#[cfg(test)]
impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Reach {
    /// A page of a pod, `place` being `port/path`; `None` where it cannot be had.
    pub async fn page(&self, pod: &PodId, place: &str) -> Option<String> {
        let (port, path) = place.split_once('/')?;
        match self {
            Self::Inside(client) => {
                let ip = pod.ip.as_deref()?;
                let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
                text(client, &format!("http://{host}:{port}/{path}")).await
            }
            #[cfg(test)]
            Self::Scripted(Script(page)) => Some(page(pod)),
            Self::Outside(client, cluster) => {
                let destination = Destination::Pod(pod.name.clone());
                let forward = Forward::open(cluster, destination, port.parse().ok()?).await.ok()?;
                text(client, &format!("{}/{path}", forward.url)).await
            }
        }
    }
}

async fn text(client: &Client, url: &str) -> Option<String> {
    client.get(url).send().await.ok()?.error_for_status().ok()?.text().await.ok()
}
