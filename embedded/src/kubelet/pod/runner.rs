//! The life of one container: it is pulled, started, probed, ended and restarted.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::backoff::{BackOff, format_duration};
use super::change::NextChange;
use super::record::Pod;
use super::status::{ContainerState, Terminated};
use crate::kinds;
use crate::kubelet::container::launch;
use crate::kubelet::container::probe::{Finding, Probes};
use crate::kubelet::container::process::{Exit, Launch, Process};
use crate::kubelet::images::catalog::Program;
use crate::object::metadata::number;
use crate::time::now;

/// A time so far away that only the pod's own deadline counts.
const FAR_FUTURE: Duration = Duration::from_hours(366 * 24);

/// The time at which the pod's processes are killed. `None` as long as the pod may run.
pub(super) type KillTime = watch::Receiver<Option<Instant>>;

/// Runs one container of a pod.
pub(super) struct Runner {
    pub(super) pod: Arc<Pod>,
    /// The index of the container in the pod's spec.
    pub(super) index: usize,
    pub(super) kill_time: KillTime,
}

/// A run of the container that has ended.
struct Run {
    exit: Exit,
    reason: &'static str,
    message: String,
    started: String,
    lasted: Duration,
}

/// The result of one attempt to pull an image.
enum Pull {
    Done(Program),
    Failed,
    /// The pod has to end.
    MustEnd,
}

impl Runner {
    /// Runs the container until it has ended for good.
    pub(super) async fn run(mut self) {
        let mut backoff = BackOff::default();
        while let Some(launch) = self.prepare().await {
            let run = self.run_once(&launch).await;
            let again = self.kill_time.borrow().is_none() && is_restarted(self.pod.spec(), run.exit.code);
            let ended = Terminated {
                exit_code: run.exit.code,
                signal: run.exit.signal,
                reason: run.reason,
                message: run.message,
                started: run.started,
                finished: now(),
            };
            self.pod.change(self.index, |container| {
                container.state = ContainerState::Terminated(ended.clone());
                (container.ready, container.started, container.finished) = (false, false, !again);
            });
            if !again {
                return;
            }
            let delay = backoff.after(run.lasted);
            if !delay.is_zero() {
                self.wait_in_back_off(delay, &ended).await;
            }
            if self.kill_time.borrow().is_some() {
                break;
            }
            self.pod.change(self.index, |container| {
                container.last = Some(ended);
                container.restarts += 1;
            });
        }
        // The pod ended before the container could start or restart.
        self.pod.change(self.index, |container| {
            if !matches!(container.state, ContainerState::Terminated(_)) {
                container.state =
                    ContainerState::Terminated(container.last.clone().unwrap_or_else(never_ran));
            }
            (container.ready, container.started, container.finished) = (false, false, true);
        });
    }

    async fn wait_in_back_off(&mut self, delay: Duration, ended: &Terminated) {
        let pod = &self.pod;
        let name = self.name();
        let pod_id = format!("{}_{}({})", pod.name(), pod.namespace(), pod.uid());
        let message =
            format!("back-off {} restarting failed container={name} pod={pod_id}", format_duration(delay));
        pod.change(self.index, |container| {
            container.last = Some(ended.clone());
            container.state = ContainerState::waiting("CrashLoopBackOff", &message);
        });
        pod.warning("BackOff", &format!("Back-off restarting failed container {name} in pod {pod_id}"));
        self.must_end_within(delay).await;
    }

    /// Waits for this time, or until the pod has to end. Returns whether the pod has to end.
    async fn must_end_within(&mut self, time: Duration) -> bool {
        tokio::select! {
            () = sleep(time) => false,
            () = must_end(&mut self.kill_time) => true,
        }
    }

    fn name(&self) -> String {
        self.pod.containers()[self.index].name.clone()
    }

    fn spec(&self) -> &Value {
        &self.pod.spec()["containers"][self.index]
    }

    /// Pulls the image and prepares the launch, as soon as everything that the container refers to exists.
    /// `None` if the pod has to end before that.
    async fn prepare(&mut self) -> Option<Launch> {
        let mut backoff = BackOff::default();
        loop {
            if self.kill_time.borrow().is_some() {
                return None;
            }
            let program = match self.pull(&mut backoff).await {
                Pull::Done(program) => program,
                Pull::Failed => continue,
                Pull::MustEnd => return None,
            };
            let pod = Arc::clone(&self.pod);
            let change = NextChange::watch(&pod.shared.store, &[&kinds::CONFIG_MAPS, &kinds::SECRETS]);
            match pod.with_context(|context| launch::prepare(context, self.index, &program)) {
                Ok(launch) => {
                    let id = format!("file://{}", program.path.display());
                    pod.change(self.index, |container| container.image_id = id);
                    return Some(launch);
                }
                Err(problem) => {
                    pod.warning("Failed", &format!("Error: {problem}"));
                    pod.change(self.index, |c| {
                        c.state = ContainerState::waiting("CreateContainerConfigError", &problem);
                    });
                    tokio::select! {
                        () = change.wait() => {}
                        () = must_end(&mut self.kill_time) => return None,
                    }
                }
            }
        }
    }

    /// Pulls the image once. If that fails, waits until the next attempt is due.
    async fn pull(&mut self, backoff: &mut BackOff) -> Pull {
        let pod = Arc::clone(&self.pod);
        let image = self.spec()["image"].as_str().unwrap_or_default().to_owned();
        let pulled = tokio::select! {
            pulled = pod.shared.images.pull(&image) => pulled,
            () = must_end(&mut self.kill_time) => return Pull::MustEnd,
        };
        let problem = match pulled {
            Ok(program) => {
                pod.normal("Pulled", &format!("Container image \"{image}\" already present on machine"));
                return Pull::Done(program);
            }
            Err(problem) => problem,
        };
        pod.warning("Failed", &format!("Failed to pull image \"{image}\": {problem}"));
        pod.warning("Failed", "Error: ErrImagePull");
        pod.change(self.index, |c| c.state = ContainerState::waiting("ErrImagePull", &problem));
        let delay = backoff.after_pull();
        // ErrImagePull stays visible for a second, as in a cluster that has to ask a registry.
        if self.must_end_within(Duration::from_secs(1)).await {
            return Pull::MustEnd;
        }
        let message = format!("Back-off pulling image \"{image}\": {problem}");
        pod.change(self.index, |c| c.state = ContainerState::waiting("ImagePullBackOff", &message));
        pod.normal("BackOff", &format!("Back-off pulling image \"{image}\""));
        if self.must_end_within(delay).await { Pull::MustEnd } else { Pull::Failed }
    }

    async fn run_once(&mut self, launch: &Launch) -> Run {
        let started = now();
        let start = Instant::now();
        let failed = |error: std::io::Error, started: String| {
            let message = format!("failed to start {}: {error}", launch.program.display());
            let exit = Exit { code: 128, signal: None };
            Run { exit, reason: "StartError", message, started, lasted: Duration::ZERO }
        };
        let log = match self.pod.create_log(self.index) {
            Ok(log) => log,
            Err(error) => return failed(error, started),
        };
        let mut process = match launch.start(&self.pod.shared.watchdog, &log) {
            Ok(process) => process,
            Err(error) => {
                log.close();
                self.pod.warning("Failed", &format!("Error: {error}"));
                return failed(error, started);
            }
        };
        let name = self.name();
        self.pod.normal("Created", &format!("Created container: {name}"));
        self.pod.normal("Started", &format!("Started container {name}"));
        let exit = self.supervise(&mut process, launch, &started).await;
        log.close();
        let reason = if exit.code == 0 { "Completed" } else { "Error" };
        Run { exit, reason, message: String::new(), started, lasted: start.elapsed() }
    }

    /// Probes the container until its process has ended, by itself or because it was ended.
    async fn supervise(&mut self, process: &mut Process, launch: &Launch, started: &str) -> Exit {
        let watchdog = &self.pod.shared.watchdog;
        let probes = Probes::of(self.pod.spec(), self.spec(), self.pod.address, launch, watchdog);
        let has_startup_probe = probes.has_startup_probe();
        let has_readiness_probe = probes.has_readiness_probe();
        self.pod.change(self.index, |container| {
            container.state = ContainerState::Running { since: started.to_owned() };
            container.started = !has_startup_probe;
            container.ready = container.started && !has_readiness_probe;
        });
        let (sender, mut findings) = mpsc::channel(8);
        let mut probing = std::pin::pin!(probes.run(sender));
        let mut probing_ended = false;
        loop {
            tokio::select! {
                exit = process.ended() => return exit,
                () = &mut probing, if !probing_ended => probing_ended = true,
                Some(finding) = findings.recv() => {
                    if let Some(probe) = self.apply(finding, has_readiness_probe) {
                        let message = format!("Container {} failed {probe} probe, will be restarted", self.name());
                        self.pod.normal("Killing", &message);
                        let grace = number(self.pod.spec(), "/terminationGracePeriodSeconds").unwrap_or(30);
                        let grace = Duration::from_secs(grace.unsigned_abs()).min(FAR_FUTURE);
                        let kill_at = Instant::now() + grace;
                        return self.end(process, kill_at).await;
                    }
                }
                () = must_end(&mut self.kill_time) => {
                    self.pod.normal("Killing", &format!("Stopping container {}", self.name()));
                    return self.end(process, Instant::now() + FAR_FUTURE).await;
                }
            }
        }
    }

    /// Applies a finding to the container's status. Returns the probe that requires a restart, if one does.
    fn apply(&self, finding: Finding, has_readiness_probe: bool) -> Option<&'static str> {
        match finding {
            Finding::Started => self.pod.change(self.index, |container| {
                container.started = true;
                container.ready |= !has_readiness_probe;
            }),
            Finding::Ready(ready) => self.pod.change(self.index, |container| container.ready = ready),
            Finding::Unhealthy(message) => self.pod.warning("Unhealthy", &message),
            Finding::Kill(probe) => return Some(probe),
        }
        None
    }

    /// Sends SIGTERM, and SIGKILL at `kill_at` or at the pod's own deadline, whichever comes first.
    async fn end(&mut self, process: &mut Process, kill_at: Instant) -> Exit {
        process.signal(Signal::TERM);
        loop {
            let first = self.kill_time.borrow_and_update().map_or(kill_at, |deadline| deadline.min(kill_at));
            tokio::select! {
                exit = process.ended() => return exit,
                () = sleep_until(first) => {
                    process.signal(Signal::KILL);
                    return process.ended().await;
                }
                _ = self.kill_time.changed() => {}
            }
        }
    }
}

/// Waits until the pod has to end.
async fn must_end(kill_time: &mut KillTime) {
    // An error means that the kubelet has ended. Then the pod has to end, too.
    let _ = kill_time.wait_for(Option::is_some).await;
}

fn is_restarted(spec: &Value, code: i32) -> bool {
    match spec["restartPolicy"].as_str() {
        Some("Never") => false,
        Some("OnFailure") => code != 0,
        _ => true,
    }
}

/// The state of a container that had not run when its pod ended.
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
