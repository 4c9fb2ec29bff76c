//! Waiting by watch until a workload has exactly the requested pods.

mod words;

use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DynamicObject;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::time::{Instant, sleep_until};

use super::connection::{Cluster, watching};
use super::evidence::{self, NewNode};
use super::failure::explain;
use super::listed::Listed;
use super::managers::replicas_set_by;
use super::overdue::Overdue;
use super::owned::Owners;
use super::readiness::{Assessment, Times, assess, leave_by};
use super::unready::Unready;
use super::workload::{Workload, rule_for};
use crate::exit::{Error, ExitCode, Result};
use crate::wait::{Tell, Telling, TimedOut, with_causes};

/// How long a wait may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until all pods are ready.
    pub ready: Duration,
    /// Whether the workload may have had load before the wait: then a container that crashed because of it gets its next start.
    pub had_load: bool,
    /// For how long pods may find no node before the cluster counts as too small. When resources become free, the scheduler
    /// tries again at once.
    pub place: Duration,
}

/// How often an autoscaler that has said that a node comes is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// A refusal from before the wait may be over: its controller tries again after longer and longer pauses.
const REFUSED_BEFORE_FOR: Duration = Duration::from_mins(2);
/// The spec must have other replicas than those asked for this long before somebody else counts as the one who
/// sets them.
const RESCALED_FOR: Duration = Duration::from_secs(1);
/// A terminating pod may exist for this long after its grace period: the node has to clean up, and to tell.
const LEAVES_WITHIN: Duration = Duration::from_secs(30);

/// Waits until exactly `replicas` pods of the workload are ready and no other pod of it is left. Every
/// [`TELL_EVERY`](crate::wait::TELL_EVERY), `tell` hears what was seen last.
///
/// `patience.ready` is the time in which pods become ready. Terminating pods have a time of their own, which the API server
/// knows: their grace period. The limit counts anew once the last of them has left, because it may have held what
/// the others wait for. A workload that starts its pods one by one gets `minReadySeconds` for each of them in
/// addition.
///
/// With `overdue`, pods that an earlier wait has given up on are not waited for again.
///
/// # Errors
/// [`Unready`]; after the deadline with what was seen last.
pub async fn await_ready(
    cluster: &Cluster,
    workload: &Workload,
    replicas: u32,
    Patience { ready, place, had_load }: Patience,
    overdue: Option<&Overdue>,
    tell: &Tell<'_>,
) -> Result<(), Unready> {
    let limit = ready + one_by_one(workload, replicas);
    let begun = Timestamp::now();
    let mut wait = Wait {
        cluster,
        workload,
        replicas,
        limit,
        begun,
        without_load_from: if had_load { begun } else { Timestamp::MIN },
        started: Instant::now(),
        deadline: Instant::now() + limit,
        pods: Vec::new(),
        last_seen: "nothing".into(),
        are_leaving: false,
        unplaced_since: None,
        unplaced_for: place,
        place,
        announced: None,
        rescaled_since: None,
    };
    let ended = wait.run(overdue, tell).await;
    if let (Err(unready @ (Unready::Broken(_) | Unready::TimedOut(_))), Some(overdue)) = (&ended, overdue) {
        overdue.note(replicas, &wait.pods, &unready.describe(&workload.name));
    }
    ended
}

/// The time that `minReadySeconds` adds if each pod starts only when the one before it is available.
fn one_by_one(workload: &Workload, replicas: u32) -> Duration {
    let each = Duration::try_from(workload.min_ready).unwrap_or_default();
    if workload.one_by_one { each * replicas } else { Duration::ZERO }
}

struct Wait<'a> {
    cluster: &'a Cluster,
    workload: &'a Workload,
    replicas: u32,
    limit: Duration,
    /// When the wait began, by the wall clock, to which events and deletions refer.
    begun: Timestamp,
    /// From when on the workload has no load.
    without_load_from: Timestamp,
    started: Instant,
    deadline: Instant,
    /// The workload's own pods.
    pods: Vec<Pod>,
    last_seen: String,
    are_leaving: bool,
    unplaced_since: Option<Instant>,
    /// How long pods may stay unplaced or refused.
    unplaced_for: Duration,
    /// The same before anything is known about the reason.
    place: Duration,
    /// What an autoscaler of nodes has said, if one has announced a node for these pods.
    announced: Option<String>,
    rescaled_since: Option<Instant>,
}

enum Change {
    Workload(Box<Event<DynamicObject>>),
    Pod(Box<Event<Pod>>),
    Failed(watcher::Error),
}

impl Wait<'_> {
    async fn run(&mut self, overdue: Option<&Overdue>, tell: &Tell<'_>) -> Result<(), Unready> {
        let Self { cluster, workload, .. } = *self;
        let by_name = watching().fields(&format!("metadata.name={}", workload.name));
        let by_label = watching().labels(&workload.selector);
        let objects = watcher(workload.api(cluster), by_name).default_backoff();
        let pods = watcher(cluster.api::<Pod>(), by_label).default_backoff();
        let mut changes = stream::select(
            objects
                .map(|event| event.map_or_else(Change::Failed, |event| Change::Workload(Box::new(event))))
                .boxed(),
            pods.map(|event| event.map_or_else(Change::Failed, |event| Change::Pod(Box::new(event)))).boxed(),
        );
        let mut telling = Telling::new(tell);
        let mut objects: Listed<DynamicObject> = Listed::default();
        let mut labelled: Listed<Pod> = Listed::default();
        let mut owners = Owners::default();
        let mut is_away = false;
        loop {
            let change = tokio::select! {
                change = changes.next() => change,
                () = sleep_until(self.wake_at().min(telling.due())) => None,
            };
            match change {
                Some(Change::Workload(event)) => {
                    is_away = false;
                    objects.apply(*event);
                }
                Some(Change::Pod(event)) => {
                    is_away = false;
                    labelled.apply(*event);
                }
                Some(Change::Failed(error)) => {
                    if let Some(refused) = permanent_error(workload, &error) {
                        return Err(Unready::Refused(refused));
                    }
                    (self.last_seen, is_away) = (with_causes(&error), true);
                }
                None if Instant::now() >= self.deadline => {
                    let last_seen = if is_away { self.last_seen.clone() } else { self.in_words().await };
                    if !is_away && self.unplaced_since.is_some() {
                        return Err(Unready::Unplaced(last_seen));
                    }
                    let timed_out = TimedOut { after: self.started.elapsed(), last_seen };
                    return Err(if is_away {
                        Unready::Away(timed_out)
                    } else {
                        Unready::TimedOut(timed_out)
                    });
                }
                None if Instant::now() >= telling.due() => {
                    // The time that is left has changed, even if nothing else has.
                    if let Some(objects) = objects.complete().filter(|_| !is_away) {
                        self.last_seen = self.seen(objects.values().next());
                    }
                    let refusal = evidence::refusal(cluster, workload, self.begun);
                    if self.lacks_pods()
                        && let Some(refusal) = refusal.await
                    {
                        return Err(Unready::Unplaced(refusal));
                    }
                    let seen = if is_away { self.last_seen.clone() } else { self.in_words().await };
                    telling.tell_if_due(&seen);
                }
                None => {}
            }
            // Nothing is judged by half a list: pods that were not read yet could be terminating.
            let (Some(objects), Some(labelled)) = (objects.complete(), labelled.complete()) else { continue };
            match owners.pods_of(cluster, workload, labelled.values().cloned()).await {
                Ok(own) => self.pods = own,
                Err(error) => {
                    (self.last_seen, is_away) = (error.message, true);
                    continue;
                }
            }
            if self.heeds_leaving_pods() {
                // The user hears at once of a wait whose length is known.
                telling.tell_now(&self.seen(objects.values().next()));
            }
            if let Some(ended) = self.judge(objects.values().next(), overdue).await {
                return ended;
            }
        }
    }

    /// When something has to be decided although nothing changes.
    fn wake_at(&self) -> Instant {
        let unplaced = self.unplaced_since.map(|since| since + self.unplaced_for);
        let rescaled = self.rescaled_since.map(|since| since + RESCALED_FOR);
        [unplaced, rescaled].into_iter().flatten().fold(self.deadline, Instant::min)
    }

    /// Moves the deadline for pods that are terminating. Whether they have just begun to.
    fn heeds_leaving_pods(&mut self) -> bool {
        let had_left = !self.are_leaving;
        let Some(by) = leave_by(&self.pods) else {
            if !had_left {
                self.extend_to(Instant::now() + self.limit);
            }
            self.are_leaving = false;
            return false;
        };
        // The clocks of this machine and of the API server may differ, but a grace period is known.
        let grace = self.pods.iter().filter_map(|pod| pod.metadata.deletion_grace_period_seconds).max();
        let grace = grace.map_or(self.workload.grace.as_secs(), |seconds| seconds).max(0);
        let left = by.duration_since(Timestamp::now()).as_secs().clamp(0, grace);
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(0));
        if !left.is_zero() {
            self.extend_to(Instant::now() + left + LEAVES_WITHIN);
        }
        self.are_leaving = true;
        had_left && left > self.limit
    }

    /// Moves the deadline, but never beyond one grace period and one limit more than the wait had at first: pods
    /// that come and go without end are not waited for without end.
    fn extend_to(&mut self, deadline: Instant) {
        let grace = Duration::try_from(self.workload.grace).unwrap_or_default();
        let most = self.started + self.limit * 2 + grace + LEAVES_WITHIN;
        self.deadline = self.deadline.max(deadline.min(most));
    }

    fn seen(&self, object: Option<&DynamicObject>) -> String {
        match self.assess(object) {
            Assessment::NotYet(words) => words,
            _ => self.last_seen.clone(),
        }
    }

    fn assess(&self, object: Option<&DynamicObject>) -> Assessment {
        let times = Times { without_load_from: self.without_load_from, now: Timestamp::now() };
        assess(&self.workload.resource, object, &self.pods, self.replicas, times)
    }

    /// What follows from the present state; `None` if the wait goes on.
    async fn judge(
        &mut self,
        object: Option<&DynamicObject>,
        overdue: Option<&Overdue>,
    ) -> Option<Result<(), Unready>> {
        let uid = object.and_then(|object| object.metadata.uid.as_deref());
        if uid.is_some_and(|uid| uid != self.workload.uid) {
            // Its pods and its template are others than those that the run began with.
            let problem = "it was deleted and created anew since the run began; start a new run";
            return Some(Err(Unready::Broken(problem.into())));
        }
        if let Some(changed) = object.and_then(|object| self.workload.changed_template(object)) {
            return Some(Err(Unready::Refused(changed)));
        }
        let assessment = self.assess(object);
        let begin = |since: &mut Option<Instant>, holds: bool| {
            *since = holds.then(|| since.unwrap_or_else(Instant::now));
            since.map(|since| since.elapsed())
        };
        let is_unplaced = matches!(assessment, Assessment::Unplaced(_) | Assessment::Refused { .. });
        let unplaced = begin(&mut self.unplaced_since, is_unplaced);
        if !is_unplaced {
            (self.unplaced_for, self.announced) = (self.place, None);
        }
        let rescaled = begin(&mut self.rescaled_since, matches!(assessment, Assessment::Rescaled(_)));
        if matches!(assessment, Assessment::NotYet(_) | Assessment::Broken(_))
            && let Some(problem) = overdue.and_then(|overdue| overdue.holds(self.replicas, &self.pods))
        {
            return Some(Err(Unready::AsBefore(problem)));
        }
        match assessment {
            Assessment::Ready => return Some(Ok(())),
            Assessment::Broken(problem) => {
                self.last_seen = problem;
                let words = self.broken().await;
                return Some(Err(Unready::Broken(words)));
            }
            Assessment::NotYet(missing) => self.last_seen = missing,
            Assessment::Refused { problem, since } if unplaced >= Some(self.unplaced_for) => {
                return self.refused(problem, since).await.map(Err);
            }
            Assessment::Unplaced(problem) if unplaced >= Some(self.unplaced_for) => {
                match evidence::new_node(self.cluster, &self.pods).await {
                    NewNode::Announced(words) => self.announced = Some(words),
                    // The API server did not answer: the next look asks it again.
                    NewNode::Unknown => {}
                    // Events are kept for an hour at most, and an announced node is waited for until the deadline.
                    NewNode::None if self.announced.is_some() => {}
                    NewNode::None => return Some(Err(Unready::Unplaced(problem))),
                }
                self.unplaced_for += ASK_AGAIN_AFTER;
                self.last_seen = self.with_announced(problem);
            }
            Assessment::Rescaled(to) if rescaled >= Some(RESCALED_FOR) => {
                let by = object.and_then(|object| replicas_set_by(&object.metadata));
                return Some(Err(Unready::Rescaled { to, by }));
            }
            Assessment::Refused { problem, since } if self.unplaced_for == REFUSED_BEFORE_FOR => {
                self.last_seen = not_tried_again(&problem, since);
            }
            Assessment::Unplaced(problem) => self.last_seen = self.with_announced(problem),
            Assessment::Refused { problem, .. } => self.last_seen = problem,
            Assessment::Rescaled(to) => {
                self.last_seen = format!("its spec has {to} replicas, not {}", self.replicas);
            }
        }
        None
    }

    /// Why pods have no place, and the node that was announced for them.
    fn with_announced(&self, problem: String) -> String {
        match &self.announced {
            Some(node) => format!("{problem}; {node}"),
            None => problem,
        }
    }

    /// What follows from a refusal that lasts; `None` if it may be over.
    async fn refused(&mut self, problem: String, since: Option<Timestamp>) -> Option<Unready> {
        // The clocks of this machine and of the API server may differ a little.
        if since.is_none_or(|since| since.as_second() + 1 >= self.begun.as_second()) {
            return Some(Unready::Unplaced(problem));
        }
        if let Some(refusal) = evidence::refusal(self.cluster, self.workload, self.begun).await {
            return Some(Unready::Unplaced(refusal));
        }
        let words = not_tried_again(&problem, since);
        if self.unplaced_for >= REFUSED_BEFORE_FOR {
            return Some(Unready::Unplaced(words));
        }
        (self.unplaced_for, self.last_seen) = (REFUSED_BEFORE_FOR, words);
        None
    }

    /// Whether pods are missing that nobody has made.
    fn lacks_pods(&self) -> bool {
        self.pods.len() < self.replicas as usize
    }
}

/// A refusal that came before the wait.
fn not_tried_again(problem: &str, since: Option<Timestamp>) -> String {
    let since =
        since.map(|since| format!("since {}, and ", since.strftime("%H:%M:%S UTC"))).unwrap_or_default();
    format!("{problem} ({since}not tried again)")
}

/// The explained error if trying again cannot help: a missing permission, login or object.
fn permanent_error(workload: &Workload, error: &watcher::Error) -> Option<Error> {
    let (watcher::Error::InitialListFailed(error)
    | watcher::Error::WatchStartFailed(error)
    | watcher::Error::WatchFailed(error)) = error
    else {
        return None;
    };
    let explained = explain(&format!("watch {} and its pods", workload.describe()), error);
    let explained = match error {
        kube::Error::Api(status) if status.code == 403 => explained.next(rule_for(&workload.resource)),
        _ => explained,
    };
    (explained.code == ExitCode::Preflight).then_some(explained)
}

#[cfg(test)]
mod tests;
