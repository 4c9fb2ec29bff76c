//! The whole cluster: its parts are put together, run, and taken apart again.

mod end;
mod kubeconfig_file;
mod problem;
mod state_folder;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::watch;

use crate::addresses::Addresses;
use crate::api::{Api, Server, Tokens, admit};
use crate::args::Args;
use crate::control_loop;
use crate::controllers;
use crate::kubelet::{Environments, Images, Kubelet};
use crate::proxy::{Proxy, Threads};
use crate::runtime::Runtime;
use crate::store::Store;
use end::End;
use kubeconfig_file::KubeconfigFile;
pub use problem::Problem;
use state_folder::StateFolder;

/// Largest number of open files that the cluster asks for.
const MAX_OPEN_FILES: u64 = 65_536;

/// Runs a cluster until it has to end. With `--pull`, only installs an image.
///
/// # Errors
/// What is missing, and usually the next step; or which part of the cluster has ended by itself.
pub async fn run(args: &Args) -> Result<(), Problem> {
    let images = Images::new(args.images.iter().cloned().collect(), Environments::new(cache(args)?));
    if let Some(image) = &args.pull {
        images.pull(image).await?;
        return Ok(());
    }
    let (Some(kubeconfig), Some(state)) = (&args.kubeconfig, &args.state) else {
        return Err(Problem::Missing("--kubeconfig and --state are needed".into()));
    };
    // Before anything else, so that no signal is missed.
    let end = End::listen(args.parent_pid)?;
    let mut kubeconfig = KubeconfigFile::claim(kubeconfig)?;
    let state = StateFolder::lock(state).await?;
    let result = serve(args, images, &mut kubeconfig, &state, end).await;
    kubeconfig.remove();
    state.remove();
    result
}

async fn serve(
    args: &Args,
    images: Images,
    kubeconfig: &mut KubeconfigFile,
    state: &StateFolder,
    end: End,
) -> Result<(), Problem> {
    raise_file_limit();
    let store = Store::new();
    let addresses = Arc::new(Addresses::claim()?);
    let kubelet = state
        .share_lock()
        .and_then(|lock| Kubelet::new(store.clone(), state.pods(), lock, images, Arc::clone(&addresses)))
        .map_err(|error| format!("{}: {error}", state.path().display()))?;
    let tokens = Tokens::new().map_err(|error| format!("no random numbers for a token: {error}"))?;
    let api = Api::new(store.clone(), tokens, Arc::clone(&kubelet) as Arc<dyn Runtime>);
    let wanted_address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let server = Server::bind(wanted_address, api).await.map_err(|error| {
        format!(
            "{wanted_address}: {error}\nnext: end the program that listens there, or use --port 0 for any free port"
        )
    })?;
    let address = server.address().map_err(|error| error.to_string())?;
    let kubeconfigs = server.kubeconfig().map_err(|error| error.to_string())?;
    kubeconfig.write(&kubeconfigs.admin())?;
    kubelet.set_kubeconfig(Box::new(move |namespace, account| {
        kubeconfigs.service_account(namespace, account).map_err(|error| error.to_string())
    }));

    let balancer = Threads::start().map_err(|error| format!("the threads of the load balancer: {error}"))?;
    let mut controllers = controllers::start(&store, admit);
    controllers.spawn("load balancer", control_loop::run(store, Proxy::new(addresses, balancer.handle())));
    let (stopper, mut stop) = watch::channel(false);
    let mut pods = tokio::spawn(kubelet.run(stopper.subscribe()));
    let mut serving = tokio::spawn(server.serve(async move {
        let _ = stop.wait_for(|stop| *stop).await;
    }));
    let ready = format!("ready: https://{address}, kubeconfig {}\n", kubeconfig.path().display());
    // Standard output may be closed. That is no error.
    let _ = std::io::stdout().write_all(ready.as_bytes()).and_then(|()| std::io::stdout().flush());

    // If one part ends by itself, the others would go on as half a cluster.
    let ended = tokio::select! {
        () = end.reached() => None,
        part = controllers.first_end() => Some(part),
        _ = &mut pods => Some("kubelet"),
        _ = &mut serving => Some("API server"),
    };
    // The controllers stop first, so that they do not replace the pods that are ended.
    controllers.shutdown().await;
    stopper.send_replace(true);
    if !pods.is_finished() {
        let _ = pods.await;
    }
    serving.abort();
    ended.map_or(Ok(()), |part| Err(Problem::PartEnded(part)))
}

/// Raises the limit of open files of this process as far as the system allows. Every client needs one file,
/// and every connection through the load balancer two. The usual limit of 1,024 is too low for a load test.
/// If the limit cannot be raised, further clients wait.
pub fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.map_or(MAX_OPEN_FILES, |maximum| maximum.min(MAX_OPEN_FILES));
    limit.current = Some(allowed).max(limit.current);
    // Some systems report a maximum that they do not grant.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// The folder in which Locust is kept between runs.
fn cache(args: &Args) -> Result<PathBuf, String> {
    if let Some(cache) = &args.cache {
        return std::path::absolute(cache).map_err(|error| format!("{}: {error}", cache.display()));
    }
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    let base = base.ok_or("HOME is not set, so there is no folder for Locust; name one with --cache")?;
    Ok(base.join("locust-matrix"))
}
