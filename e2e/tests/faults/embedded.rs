//! An embedded cluster: all its processes are children of this machine.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::embedded::EmbeddedCluster;
use e2e::namespace::{Namespace, Problem};
use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::{Cluster, Method};
use crate::fault::NodeFault;

/// How long the pods of a new cluster may take to be ready, on a busy machine.
const READY_WITHIN: Duration = Duration::from_mins(1);
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// The port of Locust's web page in the master's pod.
const PORT: u16 = 8089;

pub(crate) struct Embedded(EmbeddedCluster);

impl Embedded {
    pub(crate) fn start(folder: &Path) -> Result<Self, Problem> {
        let cluster = EmbeddedCluster::start(folder)?;
        cluster.namespace().settle(READY_WITHIN)?;
        Ok(Self(cluster))
    }

    fn pause(&self, pods: &[Pid], length: Duration) {
        // The cluster first. Otherwise its probes would find its pods stopped.
        self.0.signal(Signal::STOP);
        signal_all(pods, Signal::STOP);
        std::thread::sleep(length);
        signal_all(pods, Signal::CONT);
        self.0.signal(Signal::CONT);
    }
}

impl Cluster for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn namespace(&self) -> &Namespace {
        self.0.namespace()
    }

    fn driver(&self) -> Command {
        self.0.driver()
    }

    fn kill_pod(&self, pod: &str) -> Result<(), Problem> {
        let processes = self.0.processes_of(pod);
        if processes.is_empty() {
            return Err(format!("pod {pod} has no process"));
        }
        signal_all(&processes, Signal::KILL);
        Ok(())
    }

    fn strike_node(&self, fault: NodeFault, pause: Duration) -> Result<(), Problem> {
        match fault {
            NodeFault::ApiAway => self.pause(&[], pause),
            NodeFault::Paused => self.pause(&self.0.pod_processes(), pause),
            NodeFault::KillCluster => self.0.signal(Signal::KILL),
            NodeFault::KillApi | NodeFault::KubeletStopped | NodeFault::NetworkCut => {
                return Err("the embedded cluster has no such part".into());
            }
        }
        Ok(())
    }

    fn ask_master(&self, method: Method, pod: &str, path: &str) -> Result<String, Problem> {
        let pods = self.namespace().pods("app=locust,role=master")?;
        let master = pods.iter().find(|one| one.metadata.name.as_deref() == Some(pod));
        let address = master.and_then(|pod| pod.status.as_ref()?.pod_ip.clone());
        let address = address.ok_or("the master's pod has no address")?;
        ask(&address, method, path).map_err(|error| format!("{method:?} {path}: {error}"))
    }

    fn run_without_pod(&self) -> Result<Vec<String>, Problem> {
        self.0.processes_without_pod()
    }

    fn settles_within(&self) -> Duration {
        Duration::from_secs(45)
    }

    fn bury(mut self: Box<Self>) -> Result<(), Problem> {
        self.0.wait();
        self.0.nothing_runs(Duration::from_secs(10))
    }

    fn end(self: Box<Self>) -> Result<(), Problem> {
        self.0.end()
    }
}

fn ask(address: &str, method: Method, path: &str) -> std::io::Result<String> {
    let address = std::net::SocketAddr::new(address.parse().map_err(std::io::Error::other)?, PORT);
    let mut stream = TcpStream::connect_timeout(&address, ANSWERS_WITHIN)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    let method = if method == Method::Get { "GET" } else { "POST" };
    let head = "Host: locust\r\nContent-Length: 0\r\nConnection: close";
    write!(stream, "{method} {path} HTTP/1.0\r\n{head}\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match text.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
        _ => Err(std::io::Error::other(format!("an unexpected answer: {text:.200}"))),
    }
}

fn signal_all(processes: &[Pid], signal: Signal) {
    for process in processes {
        // An error means that it has ended.
        let _ = kill_process(*process, signal);
    }
}
