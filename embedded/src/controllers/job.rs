//! Jobs: pods until enough of them have succeeded, or too many have failed.

mod policy;
mod state;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::Source;
use super::pods;
use super::work::Controller;
use crate::object::{controller_key, controller_uid, is_leaving, meta, number, time};
use crate::store::{DeleteOptions, Event, EventKind, Key, Kind, Propagation, Store, kinds};
use policy::{Verdict, judge, pause};
use state::{Counts, Failure};

const SOURCE: Source = Source("job-controller");

/// All Jobs, and what is known of their pods that have ended: the pods themselves may be deleted.
#[derive(Default)]
pub(super) struct Jobs {
    tallies: HashMap<String, Tally>,
}

#[derive(Default)]
struct Tally {
    counted: HashSet<String>,
    succeeded: usize,
    failed: usize,
    /// Failures since the last success, and the time of the last one.
    in_a_row: u32,
    last_failure: Option<Timestamp>,
    failure: Option<Failure>,
    /// Pods that ended and have not been judged: that needs the Job's policy.
    unjudged: BTreeMap<String, Arc<Value>>,
}

impl Controller for Jobs {
    const KINDS: &'static [&'static Kind] = &[&kinds::JOBS, &kinds::PODS];

    fn concerns(&self, _: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        if *kind == kinds::JOBS {
            return vec![Key::of(kind, object)];
        }
        controller_key(object, &kinds::JOBS).into_iter().collect()
    }

    fn notice(&mut self, kind: &'static Kind, event: &Event) {
        let gone = event.kind == EventKind::Deleted;
        if *kind == kinds::JOBS {
            if gone {
                self.tallies.remove(meta(&event.object, "uid"));
            }
        } else if let Some(job) = controller_uid(&event.object)
            && (gone || pods::has_ended(&event.object))
        {
            self.tallies.entry(job.to_owned()).or_default().note(&event.object);
        }
    }

    fn look(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let job = store.get(key)?;
        if is_leaving(&job) {
            return None;
        }
        if state::is_over(&job) {
            return expire(store, key, &job);
        }
        let job = labelled(store, key, &job)?;
        let (pods, _) = store.list(&kinds::PODS, Some(meta(&job, "namespace")));
        let owned: Vec<Arc<Value>> =
            pods.into_iter().filter(|pod| controller_uid(pod) == Some(meta(&job, "uid"))).collect();
        let tally = self.tallies.entry(meta(&job, "uid").to_owned()).or_default();
        // The store may be ahead of its events: who has ended is not replaced before it is judged.
        owned.iter().filter(|pod| pods::has_ended(pod)).for_each(|pod| tally.note(pod));
        tally.judge(store, &job);
        let active: Vec<&Arc<Value>> = owned.iter().filter(|pod| pods::is_active(pod)).collect();
        let terminating = owned.iter().filter(|pod| is_leaving(pod) && !pods::has_ended(pod)).count();
        let completions = number(&job, "/spec/completions");
        let wanted = usize::try_from(completions.unwrap_or(1)).unwrap_or(0);
        let done = tally.succeeded >= wanted && (completions.is_some() || active.is_empty());
        let late = tally.failure.is_none().then(|| deadline(&job)).flatten();
        if late == Some(Duration::ZERO) {
            let message = "Job was active longer than specified deadline".to_owned();
            tally.failure = Some(Failure { reason: "DeadlineExceeded", message });
        }
        let mut again = late.filter(|left| !left.is_zero());
        let suspended = job["spec"]["suspend"] == json!(true);
        if tally.failure.is_some() || suspended || done {
            for pod in &active {
                let _ = store.delete(&Key::of(&kinds::PODS, pod), &DeleteOptions::default());
            }
        } else if terminating == 0 {
            let parallel = usize::try_from(number(&job, "/spec/parallelism").unwrap_or(1)).unwrap_or(0);
            let missing = parallel.min(wanted.saturating_sub(tally.succeeded)).saturating_sub(active.len());
            let wait = if missing > 0 { tally.wait() } else { Duration::ZERO };
            if wait.is_zero() {
                (0..missing).for_each(|_| create(store, &job));
            } else {
                again = Some(again.map_or(wait, |again| again.min(wait)));
            }
        }
        // Counted as it is now: what was just made or deleted comes back as a change.
        let counts = Counts {
            active: active.len(),
            ready: active.iter().filter(|pod| pods::is_ready(pod)).count(),
            terminating,
            succeeded: tally.succeeded,
            failed: tally.failed,
        };
        let (failure, done) = (tally.failure.clone(), done && !suspended);
        let written = store.update(key, |job| {
            state::write(&mut job["status"], counts, done, failure.as_ref());
            Ok(())
        });
        if let Some(job) = written.ok().filter(|job| state::is_over(job)) {
            match &failure {
                Some(Failure { reason, message }) => {
                    SOURCE.warning(store, &kinds::JOBS, &job, reason, message);
                }
                None => SOURCE.normal(store, &kinds::JOBS, &job, "Completed", "Job completed"),
            }
        }
        again
    }
}

impl Tally {
    /// A pod that has ended, which is counted once.
    fn note(&mut self, pod: &Arc<Value>) {
        let uid = meta(pod, "uid");
        if !self.counted.contains(uid) {
            self.unjudged.entry(uid.to_owned()).or_insert_with(|| Arc::clone(pod));
        }
    }

    fn judge(&mut self, store: &Store, job: &Value) {
        for (uid, pod) in std::mem::take(&mut self.unjudged) {
            self.counted.insert(uid);
            if pod["status"]["phase"] == "Succeeded" {
                self.succeeded += 1;
                self.in_a_row = 0;
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
            self.in_a_row += 1;
            self.last_failure = Some(Timestamp::now());
        }
        let limit = number(job, "/spec/backoffLimit").unwrap_or(6);
        if i64::try_from(self.failed + restarts(store, job)).unwrap_or(i64::MAX) > limit {
            let message = "Job has reached the specified backoff limit".to_owned();
            self.failure.get_or_insert(Failure { reason: "BackoffLimitExceeded", message });
        }
    }

    /// How long to wait before the next pod.
    fn wait(&self) -> Duration {
        let Some(last) = self.last_failure else { return Duration::ZERO };
        let since = Duration::try_from(Timestamp::now().duration_since(last)).unwrap_or_default();
        pause(self.in_a_row).saturating_sub(since)
    }
}

/// With `restartPolicy: OnFailure` the containers' restarts are the failures.
fn restarts(store: &Store, job: &Value) -> usize {
    if job["spec"]["template"]["spec"]["restartPolicy"] != "OnFailure" {
        return 0;
    }
    let (pods, _) = store.list(&kinds::PODS, Some(meta(job, "namespace")));
    let own = pods.iter().filter(|pod| controller_uid(pod) == Some(meta(job, "uid")) && pods::is_active(pod));
    let statuses =
        own.flat_map(|pod| pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default());
    statuses.filter_map(|status| usize::try_from(status["restartCount"].as_i64()?).ok()).sum()
}

/// The labels by which its pods are found, where the server has not set them.
fn labelled(store: &Store, key: &Key, job: &Arc<Value>) -> Option<Arc<Value>> {
    if job["spec"]["selector"].is_object() {
        return Some(Arc::clone(job));
    }
    let (uid, name) = (meta(job, "uid").to_owned(), meta(job, "name").to_owned());
    let changed = store.update(key, |job| {
        job["spec"]["selector"] = json!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } });
        for (label, value) in [
            ("batch.kubernetes.io/controller-uid", &uid),
            ("controller-uid", &uid),
            ("batch.kubernetes.io/job-name", &name),
            ("job-name", &name),
        ] {
            job["spec"]["template"]["metadata"]["labels"][label] = json!(value);
        }
        Ok(())
    });
    changed.ok()
}

fn create(store: &Store, job: &Value) {
    match store.create(&kinds::PODS, pods::from_template(&kinds::JOBS, job)) {
        Ok(pod) => {
            let message = format!("Created pod: {}", meta(&pod, "name"));
            SOURCE.normal(store, &kinds::JOBS, job, "SuccessfulCreate", &message);
        }
        Err(status) => {
            SOURCE.warning(store, &kinds::JOBS, job, "FailedCreate", &format!("Error creating: {status}"));
        }
    }
}

/// How long the Job may go on; zero once its time is over.
fn deadline(job: &Value) -> Option<Duration> {
    let limit = number(job, "/spec/activeDeadlineSeconds")?;
    let start = time(&job["status"]["startTime"]).unwrap_or_else(Timestamp::now);
    let left = limit - (Timestamp::now().as_second() - start.as_second());
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

/// Deletes a Job that is over when its time to live is.
fn expire(store: &Store, key: &Key, job: &Value) -> Option<Duration> {
    let ttl = number(job, "/spec/ttlSecondsAfterFinished")?;
    let ended = ["Complete", "Failed"].iter().find_map(|kind| crate::object::condition(job, kind))?;
    let since = Timestamp::now().as_second() - time(&ended["lastTransitionTime"])?.as_second();
    if since < ttl {
        return Some(Duration::from_secs((ttl - since).unsigned_abs()));
    }
    let options = DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    let _ = store.delete(key, &options);
    None
}
