//! Somebody who uses Locust's web page beside the driver.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use e2e::embedded::{EmbeddedCluster, Problem};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(3);
/// The port of Locust's web page in the master's pod.
const PORT: u16 = 8089;

/// Asks Locust's master, directly at the address of its pod.
pub(crate) fn get(cluster: &EmbeddedCluster, path: &str) -> Result<String, Problem> {
    let pods = cluster.pods("app=locust,role=master")?;
    let address = pods.iter().find_map(|pod| pod.status.as_ref()?.pod_ip.clone());
    let address = address.ok_or("the master's pod has no address")?;
    ask(&address, path).map_err(|error| format!("GET {path}: {error}"))
}

fn ask(address: &str, path: &str) -> std::io::Result<String> {
    let address = std::net::SocketAddr::new(address.parse().map_err(std::io::Error::other)?, PORT);
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: locust\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match text.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
        _ => Err(std::io::Error::other(format!("an unexpected answer: {text:.200}"))),
    }
}

/// Returns what is wrong if a load runs or begins. After a worker has died, Locust's state can stay "stopping" without a user;
/// the next load starts from that state, too.
pub(crate) fn load_that_runs(cluster: &EmbeddedCluster) -> Option<Problem> {
    let answer = match get(cluster, "/stats/requests") {
        Ok(answer) => answer,
        Err(problem) => return Some(problem),
    };
    let value: Value = serde_json::from_str(&answer).unwrap_or_default();
    let (state, users) = (value["state"].as_str().unwrap_or_default(), value["user_count"].as_u64());
    let is_idle = users == Some(0) && matches!(state, "ready" | "stopped" | "stopping");
    (!is_idle).then(|| format!("Locust is {state} with {users:?} users"))
}
