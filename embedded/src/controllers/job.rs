//! Jobs: run pods until enough of them have succeeded or too many have failed.

mod policy;
mod status;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pods::from_template;
use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::events::Recorder;
use crate::object::metadata::{is_terminating, meta, number};
use crate::object::owners::{controller_key, controller_uid, is_controlled_by};
use crate::object::{conditions, pods};
use crate::store::{DeleteOptions, Event, EventKind, Key, Propagation, Store};
use crate::time;
use policy::{Verdict, back_off, judge};
use status::{Counts, Failure};

const EVENTS: Recorder = Recorder("job-controller");

/// The Job controller. It remembers the pods that have ended, because they may be deleted before the Job is
/// complete.
#[derive(Default)]
pub(super) struct Jobs {
    /// By the uid of the Job.
    tallies: HashMap<String, Tally>,
}

/// The pods of one Job that have ended.
#[derive(Default)]
struct Tally {
    /// Uids of the pods that have been counted.
    counted: HashSet<String>,
    succeeded: usize,
    failed: usize,
    /// Failures since the last success.
    failures_in_a_row: u32,
    /// Time of the last failure.
    last_failure: Option<Timestamp>,
    failure: Option<Failure>,
    /// Pods that have ended and are not counted yet, by uid. Counting needs the Job's failure policy.
    uncounted: BTreeMap<String, Arc<Value>>,
}

impl Controller for Jobs {
    const KINDS: &'static [&'static Kind] = &[&kinds::JOBS, &kinds::PODS];

    fn keys_for(&self, _: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        if *kind == kinds::JOBS {
            return vec![Key::of(kind, object)];
        }
        controller_key(object, &kinds::JOBS).into_iter().collect()
    }

    fn observe(&mut self, kind: &'static Kind, event: &Event) {
        let deleted = event.kind == EventKind::Deleted;
        if *kind == kinds::JOBS {
            if deleted {
                self.tallies.remove(meta(&event.object, "uid"));
            }
        } else if let Some(job) = controller_uid(&event.object)
            && (deleted || pods::has_ended(&event.object))
        {
            self.tallies.entry(job.to_owned()).or_default().add(&event.object);
        }
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let job = store.get(key)?;
        if is_terminating(&job) {
            return None;
        }
        if status::is_finished(&job) {
            return delete_after_ttl(store, key, &job);
        }
        let (pods, _) = store.list(&kinds::PODS, Some(meta(&job, "namespace")));
        let owned: Vec<Arc<Value>> = pods.into_iter().filter(|pod| is_controlled_by(pod, &job)).collect();
        let tally = self.tallies.entry(meta(&job, "uid").to_owned()).or_default();
        // The store may be ahead of the events. A pod that has ended must be counted before it is replaced.
        owned.iter().filter(|pod| pods::has_ended(pod)).for_each(|pod| tally.add(pod));
        tally.count(store, &job);
        let active: Vec<&Arc<Value>> = owned.iter().filter(|pod| pods::is_active(pod)).collect();
        let terminating = owned.iter().filter(|pod| is_terminating(pod) && !pods::has_ended(pod)).count();
        let completions = number(&job, "/spec/completions");
        let required = usize::try_from(completions.unwrap_or(1)).unwrap_or(0);
        let done = tally.succeeded >= required && (completions.is_some() || active.is_empty());
        let time_left = tally.failure.is_none().then(|| time_until_deadline(&job)).flatten();
        if time_left == Some(Duration::ZERO) {
            let message = "Job was active longer than specified deadline".to_owned();
            tally.failure = Some(Failure { reason: "DeadlineExceeded", message });
        }
        let mut again = time_left.filter(|left| !left.is_zero());
        let suspended = job["spec"]["suspend"] == json!(true);
        if tally.failure.is_some() || suspended || done {
            for pod in &active {
                let _ = store.delete(&Key::of(&kinds::PODS, pod), &DeleteOptions::default());
            }
        } else if terminating == 0 {
            let parallel = usize::try_from(number(&job, "/spec/parallelism").unwrap_or(1)).unwrap_or(0);
            let missing = parallel.min(required.saturating_sub(tally.succeeded)).saturating_sub(active.len());
            let wait = if missing > 0 { tally.back_off_left() } else { Duration::ZERO };
            if wait.is_zero() {
                (0..missing).for_each(|_| create(store, &job));
            } else {
                again = Some(again.map_or(wait, |again| again.min(wait)));
            }
        }
        // Pods created or deleted above are not counted yet: each is a change that reconciles this key again.
        let counts = Counts {
            active: active.len(),
            ready: active.iter().filter(|pod| pods::is_ready(pod)).count(),
            terminating,
            succeeded: tally.succeeded,
            failed: tally.failed,
        };
        let (failure, done) = (tally.failure.clone(), done && !suspended);
        let written = store.update(key, |job| {
            status::write(&mut job["status"], counts, done, failure.as_ref());
            Ok(())
        });
        if let Some(job) = written.ok().filter(|job| status::is_finished(job)) {
            match &failure {
                Some(Failure { reason, message }) => {
                    EVENTS.warning(store, &kinds::JOBS, &job, reason, message);
                }
                None => EVENTS.normal(store, &kinds::JOBS, &job, "Completed", "Job completed"),
            }
        }
        again
    }
}

impl Tally {
    /// Adds a pod that has ended. Each pod is counted only once.
    fn add(&mut self, pod: &Arc<Value>) {
        let uid = meta(pod, "uid");
        if !self.counted.contains(uid) {
            self.uncounted.entry(uid.to_owned()).or_insert_with(|| Arc::clone(pod));
        }
    }

    fn count(&mut self, store: &Store, job: &Value) {
        for (uid, pod) in std::mem::take(&mut self.uncounted) {
            self.counted.insert(uid);
            if pod["status"]["phase"] == "Succeeded" {
                self.succeeded += 1;
                self.failures_in_a_row = 0;
                continue;
            }
            match judge(&job["spec"]["podFailurePolicy"], &pod) {
                Verdict::Ignore => continue,
                Verdict::Count => self.failed += 1,
                Verdict::FailJob(message) => {
                    self.failed += 1;
                    self.failure.get_or_insert(Failure { reason: "PodFailurePolicy", message });
                }
            }
            self.failures_in_a_row += 1;
            self.last_failure = Some(Timestamp::now());
        }
        let limit = number(job, "/spec/backoffLimit").unwrap_or(6);
        if i64::try_from(self.failed + restarts(store, job)).unwrap_or(i64::MAX) > limit {
            let message = "Job has reached the specified backoff limit".to_owned();
            self.failure.get_or_insert(Failure { reason: "BackoffLimitExceeded", message });
        }
    }

    /// The remaining back-off before the next pod may be created.
    fn back_off_left(&self) -> Duration {
        let Some(last) = self.last_failure else { return Duration::ZERO };
        let since = Duration::try_from(Timestamp::now().duration_since(last)).unwrap_or_default();
        back_off(self.failures_in_a_row).saturating_sub(since)
    }
}

/// The restarts of the containers, which count as failures if the `restartPolicy` is `OnFailure`.
fn restarts(store: &Store, job: &Value) -> usize {
    if job["spec"]["template"]["spec"]["restartPolicy"] != "OnFailure" {
        return 0;
    }
    let (pods, _) = store.list(&kinds::PODS, Some(meta(job, "namespace")));
    let own = pods.iter().filter(|pod| is_controlled_by(pod, job) && pods::is_active(pod));
    let statuses =
        own.flat_map(|pod| pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default());
    statuses.filter_map(|status| usize::try_from(status["restartCount"].as_i64()?).ok()).sum()
}

fn create(store: &Store, job: &Value) {
    match store.create(&kinds::PODS, from_template(&kinds::JOBS, job)) {
        Ok(pod) => {
            let message = format!("Created pod: {}", meta(&pod, "name"));
            EVENTS.normal(store, &kinds::JOBS, job, "SuccessfulCreate", &message);
        }
        Err(refusal) => {
            EVENTS.warning(store, &kinds::JOBS, job, "FailedCreate", &format!("Error creating: {refusal}"));
        }
    }
}

/// The time until `activeDeadlineSeconds` is reached. Zero after that.
fn time_until_deadline(job: &Value) -> Option<Duration> {
    let limit = number(job, "/spec/activeDeadlineSeconds")?;
    let start = time::parse(&job["status"]["startTime"]).unwrap_or_else(Timestamp::now);
    let left = limit.saturating_sub(Timestamp::now().as_second() - start.as_second());
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

/// Deletes a finished Job when its `ttlSecondsAfterFinished` have passed.
fn delete_after_ttl(store: &Store, key: &Key, job: &Value) -> Option<Duration> {
    let ttl = number(job, "/spec/ttlSecondsAfterFinished")?;
    let ended = ["Complete", "Failed"].iter().find_map(|kind| conditions::of_object(job, kind))?;
    let since = Timestamp::now().as_second() - time::parse(&ended["lastTransitionTime"])?.as_second();
    if since < ttl {
        return Some(Duration::from_secs((ttl - since).unsigned_abs()));
    }
    let options = DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    let _ = store.delete(key, &options);
    None
}
