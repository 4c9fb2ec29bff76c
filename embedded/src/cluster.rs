//! The whole cluster: put together, run, and taken apart again.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::api::{Api, Identity, Server, Tokens};
use crate::args::Args;
use crate::controllers;
use crate::controllers::work;
use crate::files::write_secret;
use crate::kubelet::{Addresses, Environments, Images, Kubelet};
use crate::proxy::Proxy;
use crate::runtime::Runtime;
use crate::store::Store;

/// Runs a cluster until it is told to end, or has an image at hand where that is all.
///
/// # Errors
/// In words, what is missing, and where there is one, the next step.
pub async fn run(args: &Args) -> Result<(), String> {
    let images = Images::new(args.images.iter().cloned().collect(), Environments::new(cache(args)?));
    if let Some(image) = &args.pull {
        return images.pull(image).await.map(drop);
    }
    let (Some(kubeconfig), Some(state)) = (&args.kubeconfig, &args.state) else {
        return Err("--kubeconfig and --state are needed".into());
    };
    // Before anything is begun, so that no signal and no end is missed.
    let end = End::listen(args.parent_pid)?;
    let state = State::take(state)?;
    let ended = serve(args, images, kubeconfig, &state, end).await;
    let _ = fs::remove_file(kubeconfig);
    state.leave();
    ended
}

async fn serve(
    args: &Args,
    images: Images,
    kubeconfig: &Path,
    state: &State,
    end: End,
) -> Result<(), String> {
    let store = Store::new();
    let addresses = Arc::new(Addresses::claim()?);
    let kubelet = Kubelet::new(store.clone(), state.pods(), images, Arc::clone(&addresses))
        .map_err(|error| format!("{}: {error}", state.folder.display()))?;
    let tokens = Tokens::new().map_err(|error| format!("no random numbers for a token: {error}"))?;
    let api = Api::new(store.clone(), tokens.clone(), Arc::clone(&kubelet) as Arc<dyn Runtime>);
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let server = Server::bind(wanted, api).await.map_err(|error| {
        format!(
            "{wanted}: {error}\nnext: end the program that listens there, or take --port 0 for any free one"
        )
    })?;
    let address = server.address().map_err(|error| error.to_string())?;
    let admin = server.kubeconfig(&Identity::Admin).map_err(|error| error.to_string())?;
    write_secret(kubeconfig, &admin).map_err(|error| format!("{}: {error}", kubeconfig.display()))?;
    kubelet
        .set_kubeconfig(Box::new(move |namespace, account| for_account(&admin, &tokens, namespace, account)));

    let mut tasks = controllers::start(&store);
    tasks.spawn(work::run(store, Proxy::new(addresses)));
    let (stopper, mut stop) = watch::channel(false);
    let pods = tokio::spawn(kubelet.run(stopper.subscribe()));
    let serving = tokio::spawn(server.serve(async move {
        let _ = stop.wait_for(|stop| *stop).await;
    }));
    let ready = format!("ready: https://{address}, kubeconfig {}\n", kubeconfig.display());
    // Whoever started it may not want to know.
    let _ = std::io::stdout().write_all(ready.as_bytes()).and_then(|()| std::io::stdout().flush());

    end.reached().await;
    // Nothing may be made anew while all is ended.
    tasks.shutdown().await;
    stopper.send_replace(true);
    let _ = pods.await;
    serving.abort();
    Ok(())
}

/// The admin's kubeconfig with a ServiceAccount's token and namespace.
fn for_account(admin: &str, tokens: &Tokens, namespace: &str, account: &str) -> Result<String, String> {
    let mut config: Value = serde_json::from_str(admin).map_err(|error| error.to_string())?;
    let token = tokens.service_account(namespace, account).map_err(|error| error.to_string())?;
    config["users"][0]["user"]["token"] = json!(token);
    config["contexts"][0]["context"]["namespace"] = json!(namespace);
    Ok(format!("{config:#}\n"))
}

fn cache(args: &Args) -> Result<PathBuf, String> {
    if let Some(cache) = &args.cache {
        return std::path::absolute(cache).map_err(|error| format!("{}: {error}", cache.display()));
    }
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    let base = base.ok_or("there is no HOME to keep Locust in; give a folder with --cache")?;
    Ok(base.join("locust-matrix"))
}

/// The folder of one cluster, which is nobody else's meanwhile.
struct State {
    folder: PathBuf,
    _lock: File,
}

impl State {
    fn take(folder: &Path) -> Result<Self, String> {
        let problem = |error: std::io::Error| format!("--state {}: {error}", folder.display());
        let folder = std::path::absolute(folder).map_err(problem)?;
        fs::create_dir_all(&folder).map_err(problem)?;
        let lock = File::create(folder.join("lock")).map_err(problem)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "--state {}: another cluster is using it\nnext: end that one, or take another folder",
                    folder.display()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(problem(error)),
        }
        let state = Self { folder, _lock: lock };
        // Left by one that was killed, and its watchdog with it.
        if let Err(error) = fs::remove_dir_all(state.pods())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(problem(error));
        }
        fs::create_dir_all(state.pods()).map_err(problem)?;
        Ok(state)
    }

    fn pods(&self) -> PathBuf {
        self.folder.join("pods")
    }

    /// Leaves nothing of this cluster's; what else is there stays.
    fn leave(self) {
        let _ = fs::remove_dir_all(self.pods());
        let _ = fs::remove_file(self.folder.join("lock"));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// What ends a cluster: a signal, or the end of the process that it was started for.
struct End {
    signals: Vec<tokio::signal::unix::Signal>,
    parent: Option<oneshot::Receiver<()>>,
}

impl End {
    fn listen(parent: Option<i32>) -> Result<Self, String> {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let signals: Result<Vec<_>, _> = kinds.into_iter().map(signal).collect();
        let signals = signals.map_err(|error| format!("cannot listen for signals: {error}"))?;
        let parent = match parent {
            None => None,
            Some(id) => {
                let gone = |error: std::io::Error| format!("--parent-pid {id}: {error}");
                let pid = Pid::from_raw(id).ok_or_else(|| format!("--parent-pid {id}: not a process"))?;
                let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| gone(error.into()))?;
                let (sender, receiver) = oneshot::channel();
                // It can be read when its process has ended. The thread ends with this program.
                std::thread::spawn(move || {
                    let mut interest = [PollFd::new(&pidfd, PollFlags::IN)];
                    while poll(&mut interest, None) == Err(rustix::io::Errno::INTR) {}
                    let _ = sender.send(());
                });
                Some(receiver)
            }
        };
        Ok(Self { signals, parent })
    }

    async fn reached(mut self) {
        let [terminate, interrupt, hangup] = self.signals.as_mut_slice() else { return };
        let parent = async {
            match self.parent.take() {
                Some(parent) => drop(parent.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            () = parent => {}
        }
    }
}
