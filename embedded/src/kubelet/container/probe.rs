//! Probes: whether a container has started, is ready, and is alive.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::process::Launch;
use super::watchdog::Watchdog;
use crate::object::metadata::number;
use crate::object::ports::container_port;
use crate::version::VERSION;

/// Largest number of bytes of an answer in which its status is searched.
const HEAD_BYTES: u64 = 1024;

/// A result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The container has started.
    Started,
    /// The container is ready, or no longer ready.
    Ready(bool),
    /// One attempt failed, with this message.
    Unhealthy(String),
    /// The container has to be restarted because of this probe: `startup` or `liveness`.
    Kill(&'static str),
}

/// One probe of a container.
#[derive(Clone, Debug)]
struct Probe {
    check: Check,
    delay: Duration,
    period: Duration,
    timeout: Duration,
    successes: u32,
    failures: u32,
}

#[derive(Clone, Debug)]
enum Check {
    Http {
        address: SocketAddr,
        path: String,
        headers: Vec<(String, String)>,
    },
    Tcp(SocketAddr),
    Exec {
        launch: Launch,
        watchdog: Arc<Watchdog>,
    },
    /// This cluster cannot carry out the probe, for this reason. Every attempt fails.
    Impossible(String),
}

/// The probes of one run of a container.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    startup: Option<Probe>,
    readiness: Option<Probe>,
    liveness: Option<Probe>,
}

impl Probes {
    /// The probes in a container's spec. `launch` is the container's own program. The command of an exec
    /// probe runs with the same environment variables and in the same folder.
    pub(crate) fn of(
        spec: &Value,
        container: &Value,
        address: Ipv4Addr,
        launch: &Launch,
        watchdog: &Arc<Watchdog>,
    ) -> Self {
        let probe = |name: &str| {
            let probe = &container[name];
            probe.is_object().then(|| Probe::of(probe, spec, address, launch, watchdog))
        };
        Self {
            startup: probe("startupProbe"),
            readiness: probe("readinessProbe"),
            liveness: probe("livenessProbe"),
        }
    }

    pub(crate) fn has_startup_probe(&self) -> bool {
        self.startup.is_some()
    }

    pub(crate) fn has_readiness_probe(&self) -> bool {
        self.readiness.is_some()
    }

    /// Probes until the future is dropped.
    pub(crate) async fn run(self, findings: mpsc::Sender<Finding>) {
        if let Some(probe) = &self.startup {
            if !probe.until_started(&findings).await {
                return;
            }
            let _ = findings.send(Finding::Started).await;
        }
        let readiness = async {
            if let Some(probe) = &self.readiness {
                probe.readiness(&findings).await;
            }
        };
        let liveness = async {
            if let Some(probe) = &self.liveness {
                probe.liveness(&findings).await;
            }
        };
        tokio::join!(readiness, liveness);
    }
}

impl Probe {
    fn of(probe: &Value, spec: &Value, address: Ipv4Addr, launch: &Launch, watchdog: &Arc<Watchdog>) -> Self {
        let count = |field: &str, default: u32| {
            number(probe, &format!("/{field}")).and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
        };
        let seconds = |field: &str, default: u32| Duration::from_secs(count(field, default).into());
        Self {
            check: Check::of(probe, spec, address, launch, watchdog),
            delay: seconds("initialDelaySeconds", 0),
            period: seconds("periodSeconds", 10).max(Duration::from_secs(1)),
            timeout: seconds("timeoutSeconds", 1).max(Duration::from_secs(1)),
            successes: count("successThreshold", 1).max(1),
            failures: count("failureThreshold", 3).max(1),
        }
    }

    /// Whether the container started before `failureThreshold` attempts had failed.
    async fn until_started(&self, findings: &mpsc::Sender<Finding>) -> bool {
        let mut failures = 0;
        let mut ticks = self.ticks();
        loop {
            ticks.tick().await;
            let Err(problem) = self.attempt().await else { return true };
            failures += 1;
            let _ = findings.send(Finding::Unhealthy(format!("Startup probe failed: {problem}"))).await;
            if failures >= self.failures {
                let _ = findings.send(Finding::Kill("startup")).await;
                return false;
            }
        }
    }

    async fn readiness(&self, findings: &mpsc::Sender<Finding>) {
        let (mut successes, mut failures) = (0, 0);
        let mut ticks = self.ticks();
        loop {
            ticks.tick().await;
            match self.attempt().await {
                Ok(()) => {
                    (successes, failures) = (successes + 1, 0);
                    if successes == self.successes {
                        let _ = findings.send(Finding::Ready(true)).await;
                    }
                }
                Err(problem) => {
                    (successes, failures) = (0, failures + 1);
                    let message = format!("Readiness probe failed: {problem}");
                    let _ = findings.send(Finding::Unhealthy(message)).await;
                    if failures == self.failures {
                        let _ = findings.send(Finding::Ready(false)).await;
                    }
                }
            }
        }
    }

    async fn liveness(&self, findings: &mpsc::Sender<Finding>) {
        let mut failures = 0;
        let mut ticks = self.ticks();
        loop {
            ticks.tick().await;
            let Err(problem) = self.attempt().await else {
                failures = 0;
                continue;
            };
            failures += 1;
            let _ = findings.send(Finding::Unhealthy(format!("Liveness probe failed: {problem}"))).await;
            if failures >= self.failures {
                let _ = findings.send(Finding::Kill("liveness")).await;
                return;
            }
        }
    }

    fn ticks(&self) -> tokio::time::Interval {
        let mut ticks = interval_at(Instant::now() + self.delay, self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }

    async fn attempt(&self) -> Result<(), String> {
        match timeout(self.timeout, self.check.once()).await {
            Ok(result) => result,
            Err(_) => Err(format!("{}: context deadline exceeded", self.check.description())),
        }
    }
}

impl Check {
    fn of(probe: &Value, spec: &Value, address: Ipv4Addr, launch: &Launch, watchdog: &Arc<Watchdog>) -> Self {
        let target = |action: &Value| {
            let port = container_port(spec, &action["port"]);
            let host = action["host"].as_str().and_then(|host| host.parse().ok()).unwrap_or(address);
            port.map(|port| SocketAddr::from((host, port)))
        };
        let unknown_port = || Self::Impossible("the container has no port of this name".into());
        let http = &probe["httpGet"];
        if http.is_object() {
            if http["scheme"].as_str().is_some_and(|scheme| scheme != "HTTP") {
                return Self::Impossible("this cluster supports only HTTP probes without TLS".into());
            }
            let headers = http["httpHeaders"].as_array().into_iter().flatten().filter_map(|header| {
                Some((header["name"].as_str()?.to_owned(), header["value"].as_str()?.to_owned()))
            });
            let path = http["path"].as_str().unwrap_or("/").to_owned();
            return target(http).map_or_else(unknown_port, |address| Self::Http {
                address,
                path,
                headers: headers.collect(),
            });
        }
        if probe["tcpSocket"].is_object() {
            return target(&probe["tcpSocket"]).map_or_else(unknown_port, Self::Tcp);
        }
        let command: Vec<String> = probe["exec"]["command"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect();
        match command.as_slice() {
            [program, arguments @ ..] => Self::Exec {
                launch: Launch { program: program.into(), arguments: arguments.to_vec(), ..launch.clone() },
                watchdog: Arc::clone(watchdog),
            },
            [] => Self::Impossible("this cluster supports only httpGet, tcpSocket and exec probes".into()),
        }
    }

    /// Makes one attempt. The error says why it failed.
    async fn once(&self) -> Result<(), String> {
        match self {
            Self::Http { address, path, headers } => {
                let status = get(*address, path, headers).await;
                match status.map_err(|error| format!("{}: {error}", self.description()))? {
                    200..400 => Ok(()),
                    status => Err(format!("HTTP probe failed with statuscode: {status}")),
                }
            }
            Self::Tcp(address) => TcpStream::connect(address)
                .await
                .map(drop)
                .map_err(|error| format!("dial tcp {address}: {error}")),
            Self::Exec { launch, watchdog } => exec(launch, watchdog).await,
            Self::Impossible(why) => Err(why.clone()),
        }
    }

    fn description(&self) -> String {
        match self {
            Self::Http { address, path, .. } => format!("Get \"http://{address}{path}\""),
            Self::Tcp(address) => format!("dial tcp {address}"),
            Self::Exec { launch, .. } => format!("command {}", launch.program.display()),
            Self::Impossible(_) => "probe".into(),
        }
    }
}

/// Sends a GET request and returns the status code of the answer.
async fn get(address: SocketAddr, path: &str, headers: &[(String, String)]) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let is_custom = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    let standard = [
        ("Host", address.to_string()),
        ("User-Agent", format!("kube-probe/{VERSION}")),
        ("Accept", "*/*".into()),
    ];
    let standard = standard
        .into_iter()
        .filter(|(name, _)| !is_custom(name))
        .map(|(name, value)| (name.to_owned(), value));
    for (name, value) in standard.chain(headers.iter().cloned()) {
        request.extend([name.as_str(), ": ", &value, "\r\n"]);
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // The whole answer is read, because a server may log an error if the connection is closed too early.
    while !answer.contains(&b'\n') && (answer.len() as u64) < HEAD_BYTES {
        if stream.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await? > 0 {}
    let line = String::from_utf8_lossy(&answer);
    let status = line.strip_prefix("HTTP/1.").and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    status.ok_or_else(|| std::io::Error::other("malformed HTTP response"))
}

/// Runs a command. Its output is the error message if it fails.
async fn exec(launch: &Launch, watchdog: &Arc<Watchdog>) -> Result<(), String> {
    let run = launch.run(watchdog).await;
    let (exit, output) = run.map_err(|error| format!("{}: {error}", launch.program.display()))?;
    if exit.code == 0 {
        return Ok(());
    }
    Err(output.trim().chars().take(500).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    fn launch() -> Launch {
        Launch { program: "/bin/true".into(), arguments: vec![], environment: vec![], folder: "/".into() }
    }

    fn check(probe: &Value) -> Check {
        let spec = json!({ "containers": [{ "ports": [{ "name": "web", "containerPort": 7 }] }] });
        Check::of(probe, &spec, Ipv4Addr::LOCALHOST, &launch(), &Watchdog::ended())
    }

    async fn server(answer: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1000];
            let read = stream.read(&mut request).await.unwrap();
            assert!(String::from_utf8_lossy(&request[..read]).contains("User-Agent: kube-probe/1.34\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        port
    }

    #[tokio::test]
    async fn status_codes_from_200_to_399_are_success() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", Ok(())),
            ("HTTP/1.0 302 Found\r\n\r\n", Ok(())),
            ("HTTP/1.1 503 No\r\n\r\n", Err("HTTP probe failed with statuscode: 503".to_owned())),
        ] {
            let port = server(answer).await;
            let result = check(&json!({ "httpGet": { "path": "/x", "port": port } })).once().await;
            assert_eq!(result, expected, "{answer}");
        }
        let port = server("nonsense\r\n").await;
        let result = check(&json!({ "httpGet": { "port": port } })).once().await;
        assert!(result.unwrap_err().ends_with("malformed HTTP response"));
    }

    #[tokio::test]
    async fn a_tcp_probe_of_a_closed_port_fails() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let probe = check(&json!({ "tcpSocket": { "port": port } }));
        assert_eq!(probe.once().await, Ok(()));
        drop(listener);
        assert!(probe.once().await.is_err());
        assert!(matches!(check(&json!({ "tcpSocket": { "port": "web" } })), Check::Tcp(a) if a.port() == 7));
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_in_a_row_restart_a_container() {
        let (sender, mut findings) = mpsc::channel(9);
        let probe = json!({ "grpc": {}, "periodSeconds": 1 });
        let container = json!({ "livenessProbe": probe });
        let probes = Probes::of(&json!({}), &container, Ipv4Addr::LOCALHOST, &launch(), &Watchdog::ended());
        let task = tokio::spawn(probes.run(sender));
        let mut received = Vec::new();
        while let Some(finding) = findings.recv().await {
            received.push(finding);
        }
        task.await.unwrap();
        assert_eq!(received.len(), 4);
        assert_eq!(received[3], Finding::Kill("liveness"));
    }
}
