//! `--cluster existing`: runs the matrix in a cluster that exists already and is not deleted.

use std::sync::Arc;
use std::time::Duration;

use super::args::{Args, ExistingFlags};
use super::driver::{Driver, Target};
use super::images::{self, ImageNames};
use super::summary::{self, Summary};
use super::{matrix, state};
use crate::engine::Engine;
use crate::failure::{Failure, PREFLIGHT};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::Cmd;
use crate::run::stop::StopRequests;
use crate::toolchain::{self, Binaries};

pub(super) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let folder = folders.cluster("existing");
    let _lock = state::lock(&folder, "existing")?;
    let session = Session::open(stop, &folder.join("commands.log"), args.verbose)?;
    let (place, flags) = args.existing.describe();
    session.progress.line(&format!("cluster: existing, because --cluster existing asks for it: {place}"));
    let signal_messages = summary::announce_signals(&session);
    let results = args.results(&folders)?;
    crate::folders::create(&results)?;

    let build = toolchain::build(&session, &folders);
    let binaries = session.step("build the driver and the stub", build).await?;
    // The overlay `kind` requests little CPU and memory, and it has the stub in it.
    let overlay = if args.existing.small { "kind" } else { "base" };
    let target = Target { flags, overlay, kind: "existing", load_foreign_service: args.existing.yes };
    let driver = Driver::new(binaries.driver.clone(), target, &args);
    let planned = driver.plan(&session).await?;
    // Fails for a cluster that cannot be reached, before any image is pushed.
    let before = driver.list_deployed(&session).await?;
    let image_names = images(&session, &folders, &args, &binaries).await?;
    let mut summary = Summary::default();
    let performed = async {
        let deploy = driver.deploy(&session, &image_names);
        session.step("deploy", deploy).await?;
        if args.existing.stub && !args.existing.small {
            let deploy = driver.deploy_overlay(&session, "stub", &image_names);
            session.step("deploy the stub", deploy).await?;
        }
        matrix::run(&session, &driver, &image_names, &results, &mut summary).await.ended?;
        matrix::check_complete(&mut summary, &planned)
    };
    let performed = performed.await;
    let kept_because = if args.keep {
        Some("kept")
    } else {
        // A run removes only what it has deployed itself.
        (!before.trim().is_empty()).then_some("deployed before this run, and stays")
    };
    let cleaned = if let Some(why) = kept_because {
        session.progress.line(&format!("{why} in {place}; remove it: {}", driver.cleanup().line()));
        Ok(())
    } else {
        let remove = driver.remove(&session, summary.results.is_some());
        session.step("remove what was deployed", remove).await
    };
    signal_messages.abort();
    summary.print(&session, None, performed, cleaned)
}

/// The images that the cluster pulls: the named ones, or the ones that are built here and pushed.
async fn images(
    session: &Session,
    folders: &Folders,
    args: &Args,
    binaries: &Binaries,
) -> Result<ImageNames, Failure> {
    let ExistingFlags { driver_image, stub_image, registry, stub, .. } = &args.existing;
    let mut image_names = ImageNames {
        driver: driver_image.clone().unwrap_or_default(),
        stub: stub_image.clone(),
        locust: args.images.locust_image.clone(),
    };
    let Some(prefix) = registry else {
        return Ok(image_names);
    };
    let engine = session.unless_stopped(Engine::connect(session)).await?;
    let pack = images::pack_own(session, folders, &engine, binaries);
    let own_images = session.step("pack the images", pack).await?;
    if driver_image.is_none() {
        image_names.driver = push(session, &own_images.driver.reference, prefix).await?;
    }
    if *stub && stub_image.is_none() {
        image_names.stub = Some(push(session, &own_images.stub.reference, prefix).await?);
    }
    Ok(image_names)
}

async fn push(session: &Session, local: &str, prefix: &str) -> Result<String, Failure> {
    let remote = remote(local, prefix);
    let next = format!("log in to the registry: docker login {}", host(prefix));
    // `image rm` removes only the second name; the image keeps its first one.
    for words in [vec!["tag", local, &remote], vec!["push", &remote], vec!["image", "rm", &remote]] {
        let command = Cmd::new("docker").args(words);
        let done = command.deadline(Duration::from_mins(5)).run(session).await?;
        done.require_success(session, PREFLIGHT, &next)?;
    }
    session.progress.timed_line(&format!("pushed: {remote}"));
    Ok(remote)
}

fn remote(local: &str, prefix: &str) -> String {
    format!("{}/{local}", prefix.trim_end_matches('/'))
}

fn host(prefix: &str) -> &str {
    prefix.split('/').next().unwrap_or(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_pushed_with_the_prefix_in_front_of_its_name() {
        assert_eq!(remote("locust-driver:12", "r.example/team/"), "r.example/team/locust-driver:12");
        assert_eq!(host("r.example:5000/team"), "r.example:5000");
    }
}
