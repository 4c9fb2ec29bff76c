//! Everything that can be known to be missing before anything is begun.

use super::args::Args;
use super::choice::Kind;
use super::cluster;
use super::image_choice::{self, LocustImage};
use super::owner_mount;
use super::state::State;
use crate::failure::Failure;
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::toolchain;
use crate::versions::Versions;

/// What was found.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Describes the cluster that this run creates, if it creates one.
    pub(crate) new_state: State,
    /// A cluster of an earlier run that can be used again.
    pub(crate) kept: Option<State>,
    pub(crate) locust: LocustImage,
}

pub(super) async fn check(
    session: &Session,
    kind: &Kind,
    folders: &Folders,
    args: &Args,
) -> Result<Findings, Failure> {
    // Both would otherwise be found out when the cluster is up and the matrix is over.
    toolchain::triple()?;
    folders::create(&args.results(folders)?)?;
    free(args.ui_port)?;
    let versions = Versions::read()?;
    let (cluster, (node_image, locust)) =
        tokio::join!(session.unless_stopped(existing(kind, folders, args)), async {
            tokio::join!(
                session.unless_stopped(image_choice::node_image(
                    session,
                    kind,
                    &versions,
                    args.images.node_image.as_deref()
                )),
                session.unless_stopped(image_choice::locust_image(
                    &kind.engine,
                    &versions,
                    args.images.locust_image.as_deref()
                )),
            )
        });
    let ((found, created_network), node_image) = Failure::both(cluster, node_image)?;
    let state = State {
        name: args.name.clone(),
        node_image: node_image.reference,
        kind_version: kind.version.clone(),
        created_network,
        kept: false,
    };
    let kept = match found {
        None => None,
        Some(found) if !found.kept => {
            session.progress.timed_line(&format!(
                "cluster {}: left by a run that was killed; it will be deleted first",
                args.name
            ));
            let folder = folders.cluster(&args.name);
            cluster::delete(session, &kind.engine, &folder, &found, true).await?;
            None
        }
        Some(found) => Some(found.reusable_for(&state)?),
    };
    Ok(Findings { new_state: state, kept, locust: locust? })
}

/// The port for Locust's pages is taken by the driver later; nobody should wait until then to hear.
fn free(port: Option<u16>) -> Result<(), Failure> {
    let Some(port) = port else { return Ok(()) };
    std::net::TcpListener::bind(("127.0.0.1", port)).map(drop).map_err(|error| {
        let next = format!("end what uses it (ss -ltnp 'sport = :{port}'), or choose another port");
        Failure::preflight(format!("--ui-port {port}: cannot be taken: {error}"), next)
    })
}

/// The cluster of this name, if it is there and ours, and whether kind's network comes with it.
async fn existing(kind: &Kind, folders: &Folders, args: &Args) -> Result<(Option<State>, bool), Failure> {
    let network = kind.engine.network(&cluster::network_name()).await?;
    let nodes = kind.engine.containers_with_label(&format!("{}={}", cluster::LABEL, args.name)).await?;
    let folder = folders.cluster(&args.name);
    let name = &args.name;
    let state = State::read(&folder)?;
    // A kept cluster that was deleted by hand has left the network that came with it.
    let ours = network.is_none() || state.as_ref().is_some_and(|state| state.created_network);
    if nodes.is_empty() {
        return Ok((None, ours));
    }
    // A state without the mark is of a cluster that is gone; this one only has its name.
    let marked = nodes.iter().all(|node| owner_mount::owner(node).as_ref() == Some(&folder));
    let Some(state) = state.filter(|_| marked) else {
        return Err(Failure::preflight(
            format!("cluster {name}: exists already, and was not made by this command"),
            format!("take another --name, or delete it: kind delete cluster --name {name}"),
        ));
    };
    if state.kept && nodes.iter().any(|node| node.state != "running") {
        return Err(Failure::preflight(
            format!("cluster {name}: was kept, but does not run any more"),
            format!("kind delete cluster --name {name}"),
        ));
    }
    Ok((Some(state), ours))
}
