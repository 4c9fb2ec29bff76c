//! `--cluster existing`: the matrix in a cluster that is there already, and that stays.

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
    let speaker = summary::announce_signals(&session);
    let results = args.results(&folders)?;
    crate::folders::create(&results)?;

    let build = toolchain::build(&session, &folders);
    let binaries = session.step("build the driver and the stub", build).await?;
    // The small one has the stub in it.
    let overlay = if args.existing.small { "kind" } else { "base" };
    let target = Target { flags, overlay, kind: "existing", load_foreign_service: args.existing.yes };
    let driver = Driver::new(binaries.driver.clone(), target, &args);
    let planned = driver.plan(&session).await?;
    // Refuses a cluster that is not there before anything is pushed.
    let before = driver.list_deployed(&session).await?;
    let tags = images(&session, &folders, &args, &binaries).await?;
    let mut summary = Summary::default();
    let performed = async {
        let deploy = driver.deploy(&session, &tags);
        session.step("deploy", deploy).await?;
        if args.existing.stub && !args.existing.small {
            let deploy = driver.deploy_overlay(&session, "stub", &tags);
            session.step("deploy the stub", deploy).await?;
        }
        matrix::run(&session, &driver, &tags, &results, &mut summary).await.ended?;
        matrix::check_complete(&mut summary, &planned)
    };
    let performed = performed.await;
    let stays = if args.keep {
        Some("kept")
    } else {
        // Only what this run has brought is this run's to take away.
        (!before.trim().is_empty()).then_some("deployed before this run, and stays")
    };
    let cleaned = if let Some(why) = stays {
        session.progress.line(&format!("{why} in {place}; remove it: {}", driver.cleanup().line()));
        Ok(())
    } else {
        let remove = driver.remove(&session, summary.results.is_some());
        session.step("remove what was deployed", remove).await
    };
    speaker.abort();
    summary.print(&session, None, performed, cleaned)
}

/// The images as the cluster will pull them: those named, else those built here and pushed.
async fn images(
    session: &Session,
    folders: &Folders,
    args: &Args,
    binaries: &Binaries,
) -> Result<ImageNames, Failure> {
    let ExistingFlags { driver_image, stub_image, registry, stub, .. } = &args.existing;
    let mut tags = ImageNames {
        driver: driver_image.clone().unwrap_or_default(),
        stub: stub_image.clone(),
        locust: args.images.locust_image.clone(),
    };
    let Some(prefix) = registry else {
        return Ok(tags);
    };
    let engine = session.unless_stopped(Engine::connect(session)).await?;
    let pack = images::pack_own(session, folders, &engine, binaries);
    let own = session.step("pack the images", pack).await?;
    if driver_image.is_none() {
        tags.driver = push(session, &own.driver.reference, prefix).await?;
    }
    if *stub && stub_image.is_none() {
        tags.stub = Some(push(session, &own.stub.reference, prefix).await?);
    }
    Ok(tags)
}

async fn push(session: &Session, local: &str, prefix: &str) -> Result<String, Failure> {
    let remote = remote(local, prefix);
    let next = format!("see that you may push there: docker login {}", host(prefix));
    // The last one takes back the name alone: this engine has no use for it.
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
    fn an_image_goes_below_the_prefix() {
        assert_eq!(remote("locust-driver:12", "r.example/team/"), "r.example/team/locust-driver:12");
        assert_eq!(host("r.example:5000/team"), "r.example:5000");
    }
}
