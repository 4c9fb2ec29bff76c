//! `--cluster existing`: the matrix in a cluster that is there already, and that stays.

use std::sync::Arc;
use std::time::Duration;

use super::args::Args;
use super::driver::{Driver, Target};
use super::images::{self, Tags};
use super::verdict::{self, Verdict};
use super::{state, sweep};
use crate::engine::Engine;
use crate::failure::{Failure, USAGE};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::Cmd;
use crate::run::halt::Halt;
use crate::toolchain::{self, Binaries};

/// The flags that only `--cluster existing` has.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Existing cluster")]
pub(crate) struct Flags {
    /// Context of the kubeconfig; needed, so that it is never the wrong one by chance
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
    /// Namespace [default: the context's own]
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    /// Image of the driver, where the cluster can pull it
    #[arg(long, value_name = "IMAGE")]
    pub(super) driver_image: Option<String>,
    /// Image of the stub, where the cluster can pull it
    #[arg(long, value_name = "IMAGE")]
    pub(super) stub_image: Option<String>,
    /// Push the images built here below this, for example registry.example/team
    #[arg(long, value_name = "PREFIX")]
    pub(super) registry: Option<String>,
    /// Deploy the stub too, in the service's place
    #[arg(long)]
    pub(super) stub: bool,
    /// Ask for little CPU and memory, for a cluster on one machine
    #[arg(long, requires = "stub")]
    pub(super) small: bool,
    /// Scale and load a service that locust-matrix did not deploy
    #[arg(long)]
    pub(super) yes: bool,
}

impl Flags {
    /// Nothing of a cluster that was not asked for by name is touched.
    pub(super) fn check(&self, existing: bool) -> Result<(), Failure> {
        let refuse = |what: &str, next: &str| Err(Failure::new(USAGE, what, next));
        if !existing {
            let given = [
                (self.context.is_some(), "--context"),
                (self.namespace.is_some(), "--namespace"),
                (self.driver_image.is_some(), "--driver-image"),
                (self.stub_image.is_some(), "--stub-image"),
                (self.registry.is_some(), "--registry"),
                (self.small, "--small"),
                (self.stub, "--stub"),
                (self.yes, "--yes"),
            ];
            return match given.into_iter().find(|(given, _)| *given) {
                Some((_, flag)) => refuse(
                    &format!("{flag}: is for a cluster that is there already"),
                    "add --cluster existing, or leave it out",
                ),
                None => Ok(()),
            };
        }
        if self.context.as_ref().is_none_or(String::is_empty) {
            return refuse(
                "--cluster existing: which one is not said",
                "add --context NAME; `kubectl config get-contexts` lists what there is",
            );
        }
        if self.registry.is_none() && self.driver_image.is_none() {
            return refuse(
                "--cluster existing: where it can pull the driver's image is not said",
                "add --registry PREFIX to push the image built here, or --driver-image IMAGE",
            );
        }
        if self.stub && self.registry.is_none() && self.stub_image.is_none() {
            return refuse(
                "--stub: where the cluster can pull its image is not said",
                "add --registry PREFIX to push the image built here, or --stub-image IMAGE",
            );
        }
        Ok(())
    }

    /// The cluster, for people and as the driver's flags.
    fn place(&self) -> (String, Vec<String>) {
        let context = self.context.clone().unwrap_or_default();
        let mut flags = vec!["--context".to_owned(), context.clone()];
        let namespace = match &self.namespace {
            Some(namespace) => {
                flags.extend(["--namespace".to_owned(), namespace.clone()]);
                namespace.as_str()
            }
            None => "the context's own",
        };
        (format!("context {context}, namespace {namespace}"), flags)
    }
}

pub(super) async fn run(args: Args, halt: Arc<Halt>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let folder = folders.cluster("existing");
    let _lock = state::lock(&folder, "existing")?;
    let session = Session::open(halt, &folder.join("commands.log"), args.verbose)?;
    let (place, flags) = args.existing.place();
    session.progress.line(&format!("cluster: existing, because --cluster existing asks for it: {place}"));
    let speaker = verdict::announce_signals(&session);
    let results = args.results(&folders)?;
    crate::folders::create(&results)?;

    let build = toolchain::build(&session, &folders);
    let binaries = session.step("build the driver and the stub", build).await?;
    // The small one has the stub in it.
    let overlay = if args.existing.small { "kind" } else { "base" };
    let target = Target { flags, overlay, kind: "existing", yes: args.existing.yes };
    let driver = Driver::new(binaries.driver.clone(), target, &args);
    let planned = driver.plan(&session).await?;
    // Refuses a cluster that is not there before anything is pushed.
    let before = driver.deployed(&session).await?;
    let tags = images(&session, &folders, &args, &binaries).await?;
    let mut verdict = Verdict::default();
    let performed = async {
        let deploy = driver.deploy(&session, &tags);
        session.step("deploy", deploy).await?;
        if args.existing.stub && !args.existing.small {
            let deploy = driver.deploy_overlay(&session, "stub", &tags);
            session.step("deploy the stub", deploy).await?;
        }
        sweep::sweep(&session, &driver, &tags, &results, &mut verdict).await.ended?;
        sweep::complete(&mut verdict, &planned)
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
        let remove = driver.remove(&session, verdict.results.is_some());
        session.step("remove what was deployed", remove).await
    };
    speaker.abort();
    verdict.finish(&session, None, performed, cleaned)
}

/// The images as the cluster will pull them: those named, else those built here and pushed.
async fn images(
    session: &Session,
    folders: &Folders,
    args: &Args,
    binaries: &Binaries,
) -> Result<Tags, Failure> {
    let Flags { driver_image, stub_image, registry, stub, .. } = &args.existing;
    let mut tags = Tags {
        driver: driver_image.clone().unwrap_or_default(),
        stub: stub_image.clone(),
        locust: args.locust_image.clone(),
    };
    let Some(prefix) = registry else {
        return Ok(tags);
    };
    let engine = session.race(Engine::connect(session)).await?;
    let pack = images::own(session, folders, &engine, binaries);
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
        done.require(session, crate::failure::PREFLIGHT, &next)?;
    }
    session.progress.say(&format!("pushed: {remote}"));
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

    fn flags() -> Flags {
        Flags { context: Some("c".into()), registry: Some("r.example/team/".into()), ..Flags::default() }
    }

    #[test]
    fn a_cluster_is_named_and_its_images_can_be_pulled() {
        assert!(flags().check(true).is_ok());
        assert!(Flags { stub: true, ..flags() }.check(true).is_ok());
        for (wrong, word) in [
            (Flags { context: None, ..flags() }, "--context"),
            (Flags { context: Some(String::new()), ..flags() }, "--context"),
            (Flags { registry: None, ..flags() }, "--driver-image"),
            (Flags { registry: None, driver_image: Some("d".into()), stub: true, ..flags() }, "--stub-image"),
        ] {
            let failure = wrong.check(true).unwrap_err();
            assert_eq!(failure.code, USAGE);
            assert!(failure.next.contains(word), "{failure:?}");
        }
    }

    #[test]
    fn its_flags_are_refused_where_they_would_do_nothing() {
        assert!(Flags::default().check(false).is_ok());
        let failure = Flags { yes: true, ..Flags::default() }.check(false).unwrap_err();
        assert!(failure.what.starts_with("--yes"), "{failure:?}");
    }

    #[test]
    fn an_image_goes_below_the_prefix() {
        assert_eq!(remote("locust-driver:12", "r.example/team/"), "r.example/team/locust-driver:12");
        assert_eq!(host("r.example:5000/team"), "r.example:5000");
    }

    #[test]
    fn the_namespace_is_shown_and_passed_on() {
        let named = Flags { namespace: Some("n".into()), ..flags() };
        assert_eq!(named.place().0, "context c, namespace n");
        assert_eq!(named.place().1, ["--context", "c", "--namespace", "n"]);
        assert_eq!(flags().place().1, ["--context", "c"]);
    }
}
