//! Locust's web UI on a port of this machine.

use crate::cluster::{Cluster, Destination, LocalPort, PortForward, read_workload};
use crate::config::WorkloadName;
use crate::events::{Events, Progress};
use crate::exit::Result;
use crate::objects::{MASTER, WEB_PORT};

/// Flags for Locust's web UI.
#[derive(clap::Args, Debug)]
pub(super) struct WebUiFlags {
    /// Show Locust's web UI on this port of this machine while the matrix runs, for example 8089
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ui_port: Option<u16>,
}

impl WebUiFlags {
    /// Binds the port if one was given, so that a port in use is reported before anything else is done.
    ///
    /// # Errors
    /// Exit code 3: the port is in use.
    pub(super) async fn bind_port(&self) -> Result<Option<LocalPort>> {
        match self.ui_port {
            Some(port) => LocalPort::bind(port).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Forwards a local port to Locust's master: `port` if it was bound, which is then shown to the user, else any
/// free port.
///
/// # Errors
/// Exit code 3: a missing permission, no master, or no local port.
pub(super) async fn forward_to_master(
    cluster: &Cluster,
    port: Option<LocalPort>,
    events: &Events,
) -> Result<PortForward> {
    let master = read_workload(cluster, &WorkloadName::deployment(MASTER)).await?;
    let destination = Destination::ReadyPodOf(Box::new(master));
    PortForward::may_open(cluster, &destination, WEB_PORT).await?;
    let Some(port) = port else {
        return PortForward::open(cluster, destination, WEB_PORT).await;
    };
    let forward = PortForward::through(port, cluster, destination, WEB_PORT)?;
    events.tell(Progress::WebUi { url: forward.url.clone() });
    Ok(forward)
}
