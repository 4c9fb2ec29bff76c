//! The Docker engine, through its API on a local socket.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{ContainerSummary, ExecConfig, SystemInfoCgroupVersionEnum};
use bollard::query_parameters::{
    ImportImageOptions, InspectNetworkOptions, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
};
use futures::StreamExt as _;
use tokio::time::timeout;

use crate::failure::{CLUSTER, Failure};
use crate::run::Session;
use crate::run::command::Cmd;

/// An engine that does not answer within this time counts as missing.
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(crate) struct Engine {
    docker: Docker,
    pub(crate) version: String,
    pub(crate) cgroup_v1: bool,
}

/// What is needed of a container to know who has made it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) state: String,
    pub(crate) labels: HashMap<String, String>,
    /// Source and destination of each mount.
    pub(crate) mounts: Vec<(PathBuf, PathBuf)>,
}

impl From<ContainerSummary> for Container {
    fn from(found: ContainerSummary) -> Self {
        let name = found.names.unwrap_or_default().into_iter().next().unwrap_or_default();
        let mounts = found.mounts.unwrap_or_default().into_iter();
        Self {
            name: name.trim_start_matches('/').to_owned(),
            image: found.image.unwrap_or_default(),
            state: found.state.map(|state| state.to_string()).unwrap_or_default(),
            labels: found.labels.unwrap_or_default(),
            mounts: mounts
                .map(|mount| {
                    let (source, destination) = (mount.source, mount.destination);
                    (source.unwrap_or_default().into(), destination.unwrap_or_default().into())
                })
                .collect(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) id: String,
    /// Every name and tag.
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) containers: usize,
}

impl Engine {
    /// Finds the engine that `docker` and `kind` use, and checks that it answers.
    pub(crate) async fn connect(session: &Session) -> Result<Self, Failure> {
        let host = address(session).await?;
        let docker = connect_to(&host)?;
        let info = match timeout(DEADLINE, async { docker.negotiate_version().await }).await {
            Ok(Ok(docker)) => {
                let info = timeout(DEADLINE, docker.info()).await;
                info.map(|info| info.map(|info| (docker, info)))
            }
            Ok(Err(error)) => Ok(Err(error)),
            Err(late) => Err(late),
        };
        let (docker, info) = info
            .map_err(|_| no_answer(&host, &format!("no answer within {} s", DEADLINE.as_secs())))?
            .map_err(|error| no_answer(&host, &error.to_string()))?;
        Ok(Self {
            docker,
            version: info.server_version.unwrap_or_default(),
            cgroup_v1: info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_1),
        })
    }

    /// The versions, for messages.
    pub(crate) fn describe(&self) -> String {
        let api = self.docker.client_version();
        let cgroup = if self.cgroup_v1 { "v1" } else { "v2" };
        format!("{} (API {}.{}, cgroup {cgroup})", self.version, api.major_version, api.minor_version)
    }

    /// Whether the engine can save an image for a single platform (API 1.48).
    pub(crate) fn saves_by_platform(&self) -> bool {
        let version = self.docker.client_version();
        (version.major_version, version.minor_version) >= (1, 48)
    }

    /// The ID of a local image.
    pub(crate) async fn image_id(&self, reference: &str) -> Result<Option<String>, Failure> {
        match self.docker.inspect_image(reference).await {
            Ok(image) => Ok(image.id),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(request_failed(&format!("image {reference}"), &error)),
        }
    }

    /// Loads a docker-archive.
    pub(crate) async fn load(&self, archive: Vec<u8>) -> Result<(), Failure> {
        let body = futures::stream::once(async { Ok::<_, std::io::Error>(archive.into()) });
        let mut answers = self.docker.import_image_stream(ImportImageOptions::default(), body, None);
        while let Some(answer) = answers.next().await {
            answer.map_err(|error| request_failed("loading an image", &error))?;
        }
        Ok(())
    }

    /// The containers with this label (`KEY` or `KEY=VALUE`), in any state.
    pub(crate) async fn containers_with_label(&self, label: &str) -> Result<Vec<Container>, Failure> {
        self.containers("label", label).await
    }

    async fn containers(&self, filter: &str, value: &str) -> Result<Vec<Container>, Failure> {
        let filters = HashMap::from([(filter.to_owned(), vec![value.to_owned()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.docker.list_containers(Some(options)).await;
        let found = found.map_err(|error| request_failed("listing containers", &error))?;
        Ok(found.into_iter().map(Container::from).collect())
    }

    /// The images with this label.
    pub(crate) async fn images(&self, label: &str) -> Result<Vec<Image>, Failure> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let found = self.docker.list_images(Some(options)).await;
        let found = found.map_err(|error| request_failed("listing images", &error))?;
        Ok(found.into_iter().map(|image| Image { id: image.id, names: image.repo_tags }).collect())
    }

    /// A network with the number of its containers, including those that do not run; `None` if there is no such
    /// network.
    pub(crate) async fn network(&self, name: &str) -> Result<Option<Network>, Failure> {
        let options = None::<InspectNetworkOptions>;
        match self.docker.inspect_network(name, options).await {
            Ok(network) => {
                let id = network.id.unwrap_or_default();
                let containers = self.containers("network", &id).await?.len();
                Ok(Some(Network { id, containers }))
            }
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(request_failed(&format!("network {name}"), &error)),
        }
    }

    /// Runs a program inside a container and returns its exit code and stdout. This is for polling only: whatever
    /// changes something is a [`Cmd`], which people can see and repeat.
    pub(crate) async fn exec(&self, container: &str, argv: &[&str]) -> Option<(i64, String)> {
        let config = ExecConfig {
            cmd: Some(argv.iter().map(|&word| word.to_owned()).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let exec = self.docker.create_exec(container, config).await.ok()?;
        let started = self.docker.start_exec(&exec.id, None::<StartExecOptions>);
        let mut stdout = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = started.await.ok()? {
            while let Some(Ok(part)) = output.next().await {
                if let LogOutput::StdOut { message } = part {
                    stdout.extend_from_slice(&message);
                }
            }
        }
        let ended = self.docker.inspect_exec(&exec.id).await.ok()?;
        Some((ended.exit_code?, String::from_utf8_lossy(&stdout).into_owned()))
    }
}

/// The engine's address, found as `docker` finds it: `DOCKER_HOST`, else the current context.
async fn address(session: &Session) -> Result<String, Failure> {
    if let Ok(host) = std::env::var("DOCKER_HOST")
        && !host.is_empty()
    {
        return Ok(host);
    }
    let context = Cmd::new("docker")
        .args(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
        .deadline(DEADLINE)
        .run(session)
        .await
        .map_err(|failure| failure.with_installation(INSTALL))?;
    let context = context.require_success(session, crate::failure::PREFLIGHT, "check `docker context ls`")?;
    Ok(context.stdout.trim().to_owned())
}

const INSTALL: &str = "install Docker (https://docs.docker.com/engine/install/), or run inside `nix develop`";

fn connect_to(host: &str) -> Result<Docker, Failure> {
    let Some(socket) = host.strip_prefix("unix://") else {
        return Err(Failure::preflight(
            format!("the Docker engine at {host}: not a socket of this machine"),
            "unset DOCKER_HOST, or use a local engine: DOCKER_HOST=unix:///var/run/docker.sock\n\
             (kind opens the port of its API server on the engine's machine, which cannot be reached from here)",
        ));
    };
    if !Path::new(socket).exists() {
        return Err(no_answer(host, "no such socket"));
    }
    Docker::connect_with_host(host).map_err(|error| no_answer(host, &error.to_string()))
}

fn no_answer(host: &str, why: &str) -> Failure {
    let next = if why.to_ascii_lowercase().contains("permission denied") {
        "give your user access: sudo usermod -aG docker \"$USER\", then log in again"
    } else {
        "start Docker (sudo systemctl start docker), or set DOCKER_HOST to its socket"
    };
    Failure::preflight(format!("the Docker engine at {host}: does not answer: {why}"), next)
}

fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

fn request_failed(subject: &str, error: &Error) -> Failure {
    Failure::new(
        CLUSTER,
        format!("the Docker engine, {subject}: {error}"),
        "read the engine's log: journalctl -u docker",
    )
}
