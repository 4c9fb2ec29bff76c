//! Locust's own pages on a port of this machine.

use crate::cluster::{Cluster, Destination, Forward, LocalPort, MASTER, workload};
use crate::events::{Event, Events};
use crate::exit::Result;

/// The web port of Locust's master in the manifests.
const WEB_PORT: u16 = 8089;

/// Whether somebody wants to watch.
#[derive(clap::Args, Debug)]
pub(super) struct Flags {
    /// Show Locust's own pages on this port of this machine while the matrix runs, for example 8089
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ui_port: Option<u16>,
}

impl Flags {
    /// Takes the port before anything is begun, if one was asked for.
    ///
    /// # Errors
    /// Exit code 3: it is in use.
    pub(super) async fn take(&self) -> Result<Option<LocalPort>> {
        match self.ui_port {
            Some(port) => LocalPort::take(port).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The way to Locust's master: through the port that was taken, which is then shown, else any.
///
/// # Errors
/// Exit code 3: no permission, no master, or no port.
pub(super) async fn open(cluster: &Cluster, port: Option<LocalPort>, events: &Events) -> Result<Forward> {
    let destination = Destination::Selected(workload(cluster, MASTER).await?.selector);
    let Some(port) = port else {
        return Forward::open(cluster, destination, WEB_PORT).await;
    };
    let forward = Forward::from(port, cluster, destination, WEB_PORT)?;
    events.tell(Event::note(format!("Locust's own pages: {}", forward.url)));
    Ok(forward)
}
