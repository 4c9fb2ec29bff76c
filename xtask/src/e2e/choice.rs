//! Chooses the kind of cluster. The first line of the output names it, with the reason.

use std::time::Duration;

use super::args::ClusterKind;
use crate::engine::Engine;
use crate::failure::{Failure, PREFLIGHT};
use crate::run::Session;
use crate::run::command::Cmd;
use crate::versions::kind_version;

/// Docker and kind, which both work.
#[derive(Debug)]
pub(crate) struct DockerAndKind {
    pub(crate) engine: Engine,
    pub(crate) version: String,
}

/// The cluster that the matrix runs in.
#[derive(Debug)]
pub(super) enum Chosen {
    Kind(DockerAndKind),
    /// Pods are local processes.
    Embedded,
}

/// kind's variable for its container engine.
const PROVIDER: &str = "KIND_EXPERIMENTAL_PROVIDER";

/// The engine that the environment asks kind to use, if it is not Docker.
pub(crate) fn other_provider() -> Option<String> {
    provider_of(std::env::var(PROVIDER).ok())
}

fn provider_of(variable: Option<String>) -> Option<String> {
    variable.filter(|name| !name.is_empty() && name != "docker")
}

/// A command of kind. Images are built and loaded in Docker, and clusters are looked for there, so that kind must use
/// it, too, whatever the user's profile says.
pub(crate) fn kind_command() -> Cmd {
    let kind = Cmd::new("kind");
    if other_provider().is_some() { kind.env(PROVIDER, "docker") } else { kind }
}

/// Says that kind's variable is not followed.
pub(crate) fn about_provider() -> Option<String> {
    other_provider().map(|name| {
        format!("{PROVIDER}={name} is not followed: images are built in Docker, so kind is called with docker; unset it")
    })
}

pub(super) async fn choose(session: &Session, requested: ClusterKind) -> Result<Chosen, Failure> {
    session.progress.hold();
    let found = match requested {
        ClusterKind::Embedded => None,
        // `existing` never gets here.
        _ => Some(find_kind(session).await),
    };
    let asked = if requested == ClusterKind::Kind { "--cluster kind asks for it, " } else { "" };
    let (line, chosen) = match found {
        None => {
            let line = "cluster: embedded, because --cluster embedded asks for it".to_owned();
            (line, Ok(Chosen::Embedded))
        }
        Some(Ok(kind)) => {
            let (docker, version) = (&kind.engine.version, &kind.version);
            let note = about_provider().map(|note| format!(" ({note})")).unwrap_or_default();
            let line = format!(
                "cluster: kind, because {asked}Docker {docker} answers and kind {version} is installed{note}"
            );
            (line, Ok(Chosen::Kind(kind)))
        }
        Some(Err(failure)) if requested == ClusterKind::Auto && !failure.is_interruption() => {
            let line = format!("cluster: embedded, because {}", failure.what);
            (line, Ok(Chosen::Embedded))
        }
        Some(Err(failure)) => (format!("cluster: none, because {}", failure.what), Err(failure)),
    };
    session.progress.release(&line);
    chosen
}

/// Looks for Docker and kind at the same time. If both are missing, the failure names both.
pub(crate) async fn find_kind(session: &Session) -> Result<DockerAndKind, Failure> {
    let (engine, version) =
        tokio::join!(session.unless_stopped(Engine::connect(session)), installed_kind(session));
    // Somebody who works with podman should read that it is Docker which is missing.
    let engine = engine.map_err(|failure| match other_provider() {
        Some(name) if !failure.is_interruption() => Failure {
            what: format!(
                "{} ({PROVIDER}={name} asks kind for {name}, but images are built in Docker)",
                failure.what
            ),
            ..failure
        },
        _ => failure,
    });
    match (engine, version) {
        (Ok(engine), Ok(version)) => Ok(DockerAndKind { engine, version }),
        (Err(engine), Err(kind)) if !engine.is_interruption() && !kind.is_interruption() => {
            Err(Failure::preflight(
                format!("{}; {}", engine.what, kind.what),
                format!("{}\n{}", engine.next, kind.next),
            ))
        }
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
    }
}

pub(crate) async fn installed_kind(session: &Session) -> Result<String, Failure> {
    let done = kind_command()
        .arg("version")
        .deadline(Duration::from_secs(10))
        .run(session)
        .await
        .map_err(|failure| failure.with_installation(INSTALL))?;
    let done = done.require_success(session, PREFLIGHT, INSTALL)?;
    kind_version(&done.stdout).ok_or_else(|| {
        Failure::preflight(format!("kind: its version is not known: {}", done.stdout.trim()), INSTALL)
    })
}

const INSTALL: &str = "install kind (go install sigs.k8s.io/kind@latest, \
     or https://kind.sigs.k8s.io/docs/user/quick-start), or run inside `nix develop`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_engine_that_is_not_docker_is_another_one() {
        let provider = |name: &str| provider_of(Some(name.to_owned()));
        assert_eq!(
            (provider("podman"), provider("nerdctl")),
            (Some("podman".into()), Some("nerdctl".into()))
        );
        assert_eq!((provider("docker"), provider(""), provider_of(None)), (None, None, None));
    }
}
