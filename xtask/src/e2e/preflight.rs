//! Checks before anything is created whether something is missing.

use super::args::Args;
use super::choice::DockerAndKind;
use super::cluster;
use super::image_choice::{self, LocustImage};
use super::owner_mount;
use super::state::State;
use crate::failure::Failure;
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::toolchain;
use crate::versions::Versions;

/// What the checks have found.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Describes the cluster that this run creates, if it creates one.
    pub(crate) new_state: State,
    /// The kept cluster of an earlier run, if this run can use it again.
    pub(crate) kept: Option<State>,
    pub(crate) locust: LocustImage,
}

pub(super) async fn check(
    session: &Session,
    kind: &DockerAndKind,
    folders: &Folders,
    args: &Args,
) -> Result<Findings, Failure> {
    // Otherwise these would fail only after the cluster is up, or after the matrix has run.
    toolchain::triple()?;
    folders::create(&args.results(folders)?)?;
    check_port(args.ui_port)?;
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

/// Checks the port for Locust's pages now, although the driver opens it only later.
fn check_port(port: Option<u16>) -> Result<(), Failure> {
    let Some(port) = port else { return Ok(()) };
    std::net::TcpListener::bind(("127.0.0.1", port)).map(drop).map_err(|error| {
        let next = format!("end what uses it (ss -ltnp 'sport = :{port}'), or choose another port");
        Failure::preflight(format!("--ui-port {port}: cannot be opened: {error}"), next)
    })
}

/// The cluster with this name, if it exists and is ours, and whether kind's network is removed with it.
async fn existing(
    kind: &DockerAndKind,
    folders: &Folders,
    args: &Args,
) -> Result<(Option<State>, bool), Failure> {
    let network = kind.engine.network(&cluster::network_name()).await?;
    let nodes = kind.engine.containers_with_label(&format!("{}={}", cluster::LABEL, args.name)).await?;
    let folder = folders.cluster(&args.name);
    let name = &args.name;
    let state = State::read(&folder)?;
    // If a kept cluster was deleted by hand, the network that came with it is still there.
    let network_is_ours = network.is_none() || state.as_ref().is_some_and(|state| state.created_network);
    if nodes.is_empty() {
        return Ok((None, network_is_ours));
    }
    // Without our mount, the state is that of a deleted cluster, and this one only has the same name.
    let has_our_mount = nodes.iter().all(|node| owner_mount::owner(node).as_ref() == Some(&folder));
    let Some(state) = state.filter(|_| has_our_mount) else {
        return Err(Failure::preflight(
            format!("cluster {name}: exists already, and was not made by this command"),
            format!("use another --name, or delete it: kind delete cluster --name {name}"),
        ));
    };
    if state.kept && nodes.iter().any(|node| node.state != "running") {
        return Err(Failure::preflight(
            format!("cluster {name}: was kept, but does not run any more"),
            format!("kind delete cluster --name {name}"),
        ));
    }
    Ok((Some(state), network_is_ours))
}
