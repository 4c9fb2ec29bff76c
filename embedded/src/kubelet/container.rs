//! The life of one container: pulled, started, probed, ended, and started again.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::backoff::{BackOff, words};
use super::launch;
use super::logs::Log;
use super::pod::Pod;
use super::probe::{Finding, Probes};
use super::process::{Ending, Launch, Process};
use super::status::{State, Terminated};
use super::waiting::Patience;
use crate::object::number;
use crate::store::{kinds, now};

/// So far off that only the pod's own end counts.
const NEVER: Duration = Duration::from_hours(366 * 24);

/// When a pod that is to end is killed; nothing while it may run.
pub(super) type Stop = watch::Receiver<Option<Instant>>;

/// One container of a pod.
pub(super) struct Runner {
    pub(super) pod: Arc<Pod>,
    pub(super) index: usize,
    pub(super) stop: Stop,
}

/// How a run came to its end.
struct Run {
    ending: Ending,
    reason: &'static str,
    message: String,
    since: String,
    lasted: Duration,
}

impl Runner {
    /// Runs it until it will not run again.
    pub(super) async fn run(mut self) {
        let mut backoff = BackOff::default();
        while let Some(launch) = self.prepared().await {
            let run = self.run_once(&launch).await;
            let again = self.stop.borrow().is_none() && restarts(&self.pod.spec["spec"], run.ending.code);
            let ended = Terminated {
                exit_code: run.ending.code,
                signal: run.ending.signal,
                reason: run.reason,
                message: run.message,
                started: run.since,
                finished: now(),
            };
            self.pod.change(self.index, |container| {
                container.state = State::Terminated(ended.clone());
                (container.ready, container.started, container.finished) = (false, false, !again);
            });
            if !again {
                return;
            }
            let pause = backoff.after(run.lasted);
            if !pause.is_zero() {
                self.wait_to_restart(pause, &ended).await;
            }
            if self.stop.borrow().is_some() {
                break;
            }
            self.pod.change(self.index, |container| {
                container.last = Some(ended);
                container.restarts += 1;
            });
        }
        // Ended before it could start (again).
        self.pod.change(self.index, |container| {
            if !matches!(container.state, State::Terminated(_)) {
                container.state = State::Terminated(container.last.clone().unwrap_or_else(never_ran));
            }
            (container.ready, container.started, container.finished) = (false, false, true);
        });
    }

    async fn wait_to_restart(&mut self, pause: Duration, ended: &Terminated) {
        let pod = &self.pod;
        let name = self.name();
        let place = format!("{}_{}({})", pod.name(), pod.namespace(), pod.uid());
        let message = format!("back-off {} restarting failed container={name} pod={place}", words(pause));
        pod.change(self.index, |container| {
            container.last = Some(ended.clone());
            container.state = State::waiting("CrashLoopBackOff", &message);
        });
        pod.warning("BackOff", &format!("Back-off restarting failed container {name} in pod {place}"));
        self.stopped_within(pause).await;
    }

    /// Whether the pod had to end before the time was over.
    async fn stopped_within(&mut self, time: Duration) -> bool {
        tokio::select! {
            () = sleep(time) => false,
            () = stopped(&mut self.stop) => true,
        }
    }

    fn name(&self) -> String {
        self.pod.containers()[self.index].name.clone()
    }

    fn spec(&self) -> &Value {
        &self.pod.spec["spec"]["containers"][self.index]
    }

    /// What to start, once the image and everything that it refers to is there. `None` when the pod has to
    /// end before that.
    async fn prepared(&mut self) -> Option<Launch> {
        let mut backoff = BackOff::default();
        let image = self.spec()["image"].as_str().unwrap_or_default().to_owned();
        loop {
            if self.stop.borrow().is_some() {
                return None;
            }
            let pod = Arc::clone(&self.pod);
            let pulled = tokio::select! {
                pulled = pod.kubelet.images.pull(&image) => pulled,
                () = stopped(&mut self.stop) => return None,
            };
            let program = match pulled {
                Ok(program) => program,
                Err(problem) => {
                    let message = format!("Failed to pull image \"{image}\": {problem}");
                    pod.warning("Failed", &message);
                    pod.warning("Failed", "Error: ErrImagePull");
                    pod.change(self.index, |c| c.state = State::waiting("ErrImagePull", &problem));
                    let pause = backoff.after_pull();
                    // Long enough to be seen, as in a cluster that asks its registry.
                    if self.stopped_within(Duration::from_secs(1)).await {
                        return None;
                    }
                    let message = format!("Back-off pulling image \"{image}\": {problem}");
                    pod.change(self.index, |c| c.state = State::waiting("ImagePullBackOff", &message));
                    pod.normal("BackOff", &format!("Back-off pulling image \"{image}\""));
                    if self.stopped_within(pause).await {
                        return None;
                    }
                    continue;
                }
            };
            pod.normal("Pulled", &format!("Container image \"{image}\" already present on machine"));
            let patience = Patience::begin(&pod.kubelet.store, &[&kinds::CONFIG_MAPS, &kinds::SECRETS]);
            match launch::of(&pod, self.index, &program) {
                Ok(launch) => {
                    let id = format!("file://{}", program.path.display());
                    pod.change(self.index, |container| container.image_id = id);
                    return Some(launch);
                }
                Err(problem) => {
                    pod.warning("Failed", &format!("Error: {problem}"));
                    pod.change(self.index, |c| {
                        c.state = State::waiting("CreateContainerConfigError", &problem);
                    });
                    tokio::select! {
                        () = patience.until_changed() => {}
                        () = stopped(&mut self.stop) => return None,
                    }
                }
            }
        }
    }

    async fn run_once(&mut self, launch: &Launch) -> Run {
        let since = now();
        let begun = Instant::now();
        let failed = |error: std::io::Error, since: String| {
            let message = format!("failed to start {}: {error}", launch.program.display());
            let ending = Ending { code: 128, signal: None };
            Run { ending, reason: "StartError", message, since, lasted: Duration::ZERO }
        };
        let log = match self.pod.log(self.index) {
            Ok(log) => log,
            Err(error) => return failed(error, since),
        };
        let mut process = match launch.start(&self.pod.kubelet.watchdog, &log) {
            Ok(process) => process,
            Err(error) => {
                log.close();
                self.pod.warning("Failed", &format!("Error: {error}"));
                return failed(error, since);
            }
        };
        self.pod.set_group(self.index, Some(process.group()));
        let name = self.name();
        self.pod.normal("Created", &format!("Created container: {name}"));
        self.pod.normal("Started", &format!("Started container {name}"));
        let ending = self.supervise(&mut process, launch, &since).await;
        self.pod.set_group(self.index, None::<Pid>);
        log.close();
        let reason = if ending.code == 0 { "Completed" } else { "Error" };
        Run { ending, reason, message: String::new(), since, lasted: begun.elapsed() }
    }

    /// Watches a process until it has ended, by itself or because it has to.
    async fn supervise(&mut self, process: &mut Process, launch: &Launch, since: &str) -> Ending {
        let probes = Probes::of(&self.pod.spec["spec"], self.spec(), self.pod.address, launch);
        let (waits_for_start, probed) = (probes.waits_for_start(), probes.waits_for_readiness());
        self.pod.change(self.index, |container| {
            container.state = State::Running { since: since.to_owned() };
            container.started = !waits_for_start;
            container.ready = container.started && !probed;
        });
        let (sender, mut findings) = mpsc::channel(8);
        let mut probing = std::pin::pin!(probes.run(sender));
        let mut probing_ended = false;
        loop {
            tokio::select! {
                ending = process.ended() => return ending,
                () = &mut probing, if !probing_ended => probing_ended = true,
                Some(finding) = findings.recv() => {
                    if let Some(which) = self.take_in(finding, probed) {
                        let message = format!("Container {} failed {which} probe, will be restarted", self.name());
                        self.pod.normal("Killing", &message);
                        let grace = number(&self.pod.spec["spec"], "/terminationGracePeriodSeconds").unwrap_or(30);
                        let at = Instant::now() + Duration::from_secs(grace.unsigned_abs());
                        return self.end(process, at).await;
                    }
                }
                () = stopped(&mut self.stop) => {
                    self.pod.normal("Killing", &format!("Stopping container {}", self.name()));
                    return self.end(process, Instant::now() + NEVER).await;
                }
            }
        }
    }

    /// Notes what a probe has found. The probe for whose sake the container has to end, if one says so.
    fn take_in(&self, finding: Finding, probed: bool) -> Option<&'static str> {
        match finding {
            Finding::Started => self.pod.change(self.index, |container| {
                container.started = true;
                container.ready |= !probed;
            }),
            Finding::Ready(ready) => self.pod.change(self.index, |container| container.ready = ready),
            Finding::Unhealthy(message) => self.pod.warning("Unhealthy", &message),
            Finding::Kill(which) => return Some(which),
        }
        None
    }

    /// SIGTERM, and SIGKILL when its time is over: `at`, or earlier if the pod's own end is.
    async fn end(&mut self, process: &mut Process, at: Instant) -> Ending {
        process.signal(Signal::TERM);
        loop {
            let at = self.stop.borrow_and_update().map_or(at, |stop| stop.min(at));
            tokio::select! {
                ending = process.ended() => return ending,
                () = sleep_until(at) => {
                    process.signal(Signal::KILL);
                    return process.ended().await;
                }
                _ = self.stop.changed() => {}
            }
        }
    }
}

/// The log of the run that begins now.
impl Pod {
    fn log(&self, index: usize) -> std::io::Result<Arc<Log>> {
        let container = &self.containers()[index];
        let log = Log::create(self.folder.join(format!("{}.{}.log", container.name, container.restarts)))?;
        self.set_log(index, &log);
        Ok(log)
    }
}

/// Resolves when the pod has to end.
async fn stopped(stop: &mut Stop) {
    // A kubelet that is gone ends its pods, too.
    let _ = stop.wait_for(Option::is_some).await;
}

fn restarts(spec: &Value, code: i32) -> bool {
    match spec["restartPolicy"].as_str() {
        Some("Never") => false,
        Some("OnFailure") => code != 0,
        _ => true,
    }
}

/// A container that its pod's end overtook.
fn never_ran() -> Terminated {
    Terminated {
        exit_code: 137,
        signal: None,
        reason: "ContainerStatusUnknown",
        message: "The container could not be located when the pod was terminated".into(),
        started: now(),
        finished: now(),
    }
}
