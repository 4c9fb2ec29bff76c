//! HTTP requests to a single pod: at its own address from inside the cluster, through a forwarded port from
//! outside.

use std::io::Read;

use reqwest::Client;

use super::connection::Cluster;
use super::forward::{Destination, PortForward};
use super::pods::PodSummary;
use crate::config::PodPage;

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
    /// The text that the pod answers at `page`, such as `8000/metrics` or `https://:8443/metrics`; `None` if it does
    /// not answer with success.
    pub async fn get(&self, pod: &PodSummary, page: &str) -> Option<String> {
        let PodPage { tls, port, path } = PodPage::parse(page)?;
        let scheme = if tls { "https" } else { "http" };
        match self {
            Self::InsideCluster(client) => {
                let ip = pod.ip.as_deref()?;
                let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
                get_text(client, &format!("{scheme}://{host}:{port}/{path}")).await
            }
            #[cfg(test)]
            Self::Scripted(ScriptedPods(answer)) => Some(answer(pod)),
            Self::OutsideCluster(client, cluster) => {
                let destination = Destination::Pod(pod.name.clone());
                let forward = PortForward::open(cluster, destination, port).await.ok()?;
                let address =
                    forward.url.split_once("://").map_or(forward.url.as_str(), |(_, address)| address);
                get_text(client, &format!("{scheme}://{address}/{path}")).await
            }
        }
    }
}

async fn get_text(client: &Client, url: &str) -> Option<String> {
    let body = client.get(url).send().await.ok()?.error_for_status().ok()?.bytes().await.ok()?;
    text_of(&body)
}

/// The text of a body. Some servers compress it without being asked to.
fn text_of(body: &[u8]) -> Option<String> {
    /// Bounds what a few bytes may unfold to.
    const MOST: u64 = 64 << 20;
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    if !body.starts_with(&GZIP) {
        return Some(String::from_utf8_lossy(body).into_owned());
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(body).take(MOST).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_compressed_page_is_read_as_its_text() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(b"c_total 3.0\n").unwrap();
        assert_eq!(text_of(&packed.finish().unwrap()).as_deref(), Some("c_total 3.0\n"));
        assert_eq!(text_of(b"c_total 3.0\n").as_deref(), Some("c_total 3.0\n"));
        assert_eq!(text_of(&[0x1f, 0x8b, 0, 1]), None, "damaged");
    }
}
