//! Which kind of cluster, and why: the first line of output.

use std::time::Duration;

use super::args::ClusterKind;
use crate::engine::Engine;
use crate::failure::{Failure, PREFLIGHT};
use crate::run::Session;
use crate::run::command::Cmd;
use crate::versions::kind_version;

/// Docker and kind, both answering.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) engine: Engine,
    pub(crate) version: String,
}

pub(super) async fn choose(session: &Session, wish: ClusterKind) -> Result<Kind, Failure> {
    session.progress.hold();
    let chosen = decide(session, wish).await;
    session.progress.release(&match &chosen {
        Ok(kind) => format!(
            "cluster: kind, because {}Docker {} answers and kind {} is installed",
            if wish == ClusterKind::Kind { "--cluster kind asks for it, " } else { "" },
            kind.engine.version,
            kind.version
        ),
        Err(failure) => format!("cluster: none, because {}", failure.what),
    });
    chosen
}

async fn decide(session: &Session, wish: ClusterKind) -> Result<Kind, Failure> {
    match wish {
        ClusterKind::Auto | ClusterKind::Kind => find(session).await,
        // An existing cluster needs none of this, and goes another way.
        ClusterKind::Embedded | ClusterKind::Existing => Err(unavailable("embedded")),
    }
}

/// Docker and kind at once; when both are missing, both are named.
pub(crate) async fn find(session: &Session) -> Result<Kind, Failure> {
    let (engine, version) = tokio::join!(session.race(Engine::connect(session)), installed_kind(session));
    match (engine, version) {
        (Ok(engine), Ok(version)) => Ok(Kind { engine, version }),
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
    let done = Cmd::new("kind").arg("version").deadline(Duration::from_secs(10)).run(session).await.map_err(
        |failure| {
            if failure.is_interruption() { failure } else { Failure::preflight(failure.what, INSTALL) }
        },
    )?;
    let done = done.require(session, PREFLIGHT, INSTALL)?;
    kind_version(&done.stdout).ok_or_else(|| {
        Failure::preflight(format!("kind: does not tell its version: {}", done.stdout.trim()), INSTALL)
    })
}

const INSTALL: &str = "install kind (go install sigs.k8s.io/kind@latest, \
     or https://kind.sigs.k8s.io/docs/user/quick-start), or run inside `nix develop`";

fn unavailable(what: &str) -> Failure {
    Failure::preflight(
        format!("--cluster {what}: not available in this version yet"),
        "use --cluster kind, with Docker and kind installed",
    )
}
