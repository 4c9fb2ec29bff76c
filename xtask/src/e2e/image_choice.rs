//! Which node image and which Locust image are used, and whether Docker has them already.

use super::choice::DockerAndKind;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::run::Session;
use crate::versions::Versions;

/// The Locust image, as pods name it.
#[derive(Debug)]
pub(crate) struct LocustImage {
    pub(crate) reference: String,
    /// What to pull; `None` if Docker has the image.
    pub(crate) pull: Option<String>,
}

/// The node image, and whether Docker has it already.
#[derive(Debug)]
pub(crate) struct NodeImage {
    pub(crate) reference: String,
    pub(crate) local: bool,
}

/// Chooses the node image. A local image with the right tag is used as it is; otherwise kind pulls it.
pub(crate) async fn node_image(
    session: &Session,
    kind: &DockerAndKind,
    versions: &Versions,
    named: Option<&str>,
) -> Result<NodeImage, Failure> {
    let choice = versions.node_image(&kind.version, kind.engine.cgroup_v1, named)?;
    if let Some(note) = &choice.note {
        session.progress.timed_line(&format!("note: {note}"));
    }
    let (tagged, _digest) = choice.image.split_once('@').unwrap_or((&choice.image, ""));
    for local in [choice.image.as_str(), tagged] {
        if kind.engine.image_id(local).await?.is_some() {
            session.progress.timed_line(&format!("node image: {local} (local)"));
            return Ok(NodeImage { reference: local.to_owned(), local: true });
        }
    }
    let reference = choice.image;
    session.progress.timed_line(&format!("node image: {reference} (will be pulled)"));
    Ok(NodeImage { reference, local: false })
}

/// Chooses the Locust image. A local image with the right tag is used as it is.
pub(crate) async fn locust_image(
    engine: &Engine,
    versions: &Versions,
    named: Option<&str>,
) -> Result<LocustImage, Failure> {
    let default = versions.locust_image();
    let reference = named.unwrap_or(&default).to_owned();
    let local = engine.image_id(&reference).await?.is_some();
    let pull = if reference == default { versions.locust.image.clone() } else { reference.clone() };
    Ok(LocustImage { reference, pull: (!local).then_some(pull) })
}
