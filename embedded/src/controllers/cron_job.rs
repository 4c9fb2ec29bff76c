//! CronJobs: create Jobs at scheduled times.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::conditions;
use crate::object::events::Recorder;
use crate::object::metadata::{is_terminating, meta, number};
use crate::object::owners::{controller_key, controller_reference, is_controlled_by};
use crate::object::schedule::Schedule;
use crate::refusal::Refusal;
use crate::store::{DeleteOptions, Key, Propagation, Store};
use crate::time;

const EVENTS: Recorder = Recorder("cronjob-controller");

/// Fills in the defaults of a new object, or refuses it.
pub(crate) type Admit = fn(&Store, &'static Kind, &mut Value) -> Result<(), Refusal>;

pub(super) struct CronJobs {
    /// The same admission that Jobs of clients pass.
    pub(super) admit: Admit,
}

impl Controller for CronJobs {
    const KINDS: &'static [&'static Kind] = &[&kinds::CRON_JOBS, &kinds::JOBS];

    fn keys_for(&self, _: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        if *kind == kinds::CRON_JOBS {
            return vec![Key::of(kind, object)];
        }
        controller_key(object, &kinds::CRON_JOBS).into_iter().collect()
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let cron_job = store.get(key)?;
        if is_terminating(&cron_job) {
            return None;
        }
        let spec = &cron_job["spec"];
        let (jobs, _) = store.list(&kinds::JOBS, Some(meta(&cron_job, "namespace")));
        let (finished, active): (Vec<_>, Vec<_>) =
            jobs.into_iter().filter(|job| is_controlled_by(job, &cron_job)).partition(|job| is_finished(job));
        delete_old(store, &finished, "Complete", number(spec, "/successfulJobsHistoryLimit").unwrap_or(3));
        delete_old(store, &finished, "Failed", number(spec, "/failedJobsHistoryLimit").unwrap_or(1));
        // Validated when the CronJob was created.
        let schedule = Schedule::read(&spec["schedule"], &spec["timeZone"]).ok()?;
        let now = Timestamp::now();
        let due = if spec["suspend"] == true { None } else { due(&cron_job, &schedule, now) };
        let started = due.and_then(|at| self.start(store, &cron_job, &active, at));
        write_status(store, key, &finished, &active, started);
        let wait = Duration::try_from(schedule.next(now)?.duration_since(now)).ok()?;
        (spec["suspend"] != true).then_some(wait)
    }
}

impl CronJobs {
    /// Creates the Job for the scheduled time `at`, if the concurrency policy allows it. Returns `at` if no further
    /// attempt is needed.
    fn start(
        &self,
        store: &Store,
        cron_job: &Value,
        active: &[Arc<Value>],
        at: Timestamp,
    ) -> Option<Timestamp> {
        match cron_job["spec"]["concurrencyPolicy"].as_str() {
            Some("Forbid") if !active.is_empty() => {
                let message =
                    "Not starting job because prior execution is running and concurrency policy is Forbid";
                EVENTS.normal(store, &kinds::CRON_JOBS, cron_job, "JobAlreadyActive", message);
                return None;
            }
            Some("Replace") => active.iter().for_each(|job| delete(store, job)),
            _ => {}
        }
        let mut job = job_for(cron_job, at);
        let created =
            (self.admit)(store, &kinds::JOBS, &mut job).and_then(|()| store.create(&kinds::JOBS, job));
        match created {
            Ok(job) => {
                let message = format!("Created job {}", meta(&job, "name"));
                EVENTS.normal(store, &kinds::CRON_JOBS, cron_job, "SuccessfulCreate", &message);
            }
            // An earlier attempt created it.
            Err(refusal) if refusal.reason == "AlreadyExists" => {}
            Err(refusal) => {
                let message = format!("Error creating job: {}", refusal.message);
                EVENTS.warning(store, &kinds::CRON_JOBS, cron_job, "FailedCreate", &message);
                return None;
            }
        }
        Some(at)
    }
}

/// The scheduled time for which a Job has to start now.
fn due(cron_job: &Value, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let last = time::parse(&cron_job["status"]["lastScheduleTime"]);
    let mut since = last.or_else(|| time::parse(&cron_job["metadata"]["creationTimestamp"]))?;
    if let Some(deadline) = number(cron_job, "/spec/startingDeadlineSeconds") {
        let earliest = now.checked_sub(SignedDuration::from_secs(deadline));
        since = earliest.map_or(since, |earliest| since.max(earliest));
    }
    schedule.last_missed(since, now)
}

fn job_for(cron_job: &Value, at: Timestamp) -> Value {
    let template = &cron_job["spec"]["jobTemplate"];
    let mut job = json!({
        "apiVersion": kinds::JOBS.api_version(),
        "kind": kinds::JOBS.kind,
        "metadata": {
            // The same time has the same name, so that no Job is created twice.
            "name": format!("{}-{}", meta(cron_job, "name"), at.as_second().div_euclid(60)),
            "namespace": meta(cron_job, "namespace"),
            "annotations": template["metadata"]["annotations"],
            "ownerReferences": [controller_reference(&kinds::CRON_JOBS, cron_job)],
        },
        "spec": template["spec"],
    });
    if template["metadata"]["labels"].is_object() {
        job["metadata"]["labels"] = template["metadata"]["labels"].clone();
    }
    job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] =
        json!(time::format(at));
    job
}

fn is_finished(job: &Value) -> bool {
    conditions::is_true(job, "Complete") || conditions::is_true(job, "Failed")
}

/// Deletes the oldest Jobs that ended in this way, so that `keep` are left.
fn delete_old(store: &Store, finished: &[Arc<Value>], condition: &str, keep: i64) {
    let mut jobs: Vec<&Arc<Value>> =
        finished.iter().filter(|job| conditions::is_true(job, condition) && !is_terminating(job)).collect();
    jobs.sort_by_key(|job| job["status"]["startTime"].as_str().unwrap_or_default().to_owned());
    let surplus = jobs.len().saturating_sub(usize::try_from(keep).unwrap_or(0));
    jobs[..surplus].iter().for_each(|job| delete(store, job));
}

fn delete(store: &Store, job: &Value) {
    let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    let _ = store.delete(&Key::of(&kinds::JOBS, job), &options);
}

fn write_status(
    store: &Store,
    key: &Key,
    finished: &[Arc<Value>],
    active: &[Arc<Value>],
    started: Option<Timestamp>,
) {
    let references: Vec<Value> = active
        .iter()
        .map(|job| {
            json!({
                "apiVersion": kinds::JOBS.api_version(), "kind": kinds::JOBS.kind,
                "namespace": meta(job, "namespace"), "name": meta(job, "name"), "uid": meta(job, "uid"),
                "resourceVersion": meta(job, "resourceVersion"),
            })
        })
        .collect();
    let succeeded = finished.iter().filter_map(|job| job["status"]["completionTime"].as_str()).max();
    // Refused if the CronJob has been deleted meanwhile.
    let _ = store.update(key, |cron_job| {
        let before = succeeded.max(cron_job["status"]["lastSuccessfulTime"].as_str()).map(str::to_owned);
        let mut status = json!({});
        if !references.is_empty() {
            status["active"] = json!(references);
        }
        if let Some(time) = before {
            status["lastSuccessfulTime"] = json!(time);
        }
        match started {
            Some(at) => status["lastScheduleTime"] = json!(time::format(at)),
            None if cron_job["status"]["lastScheduleTime"].is_string() => {
                status["lastScheduleTime"] = cron_job["status"]["lastScheduleTime"].clone();
            }
            None => {}
        }
        cron_job["status"] = status;
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron_job(deadline: Option<i64>) -> Value {
        json!({
            "metadata": { "name": "c", "namespace": "default", "creationTimestamp": "2026-11-22T05:59:30Z" },
            "spec": { "schedule": "0 * * * *", "startingDeadlineSeconds": deadline },
        })
    }

    #[test]
    fn a_missed_time_is_due_until_its_deadline() {
        let due = |cron_job: &Value, now: &str| {
            let schedule = Schedule::read(&cron_job["spec"]["schedule"], &Value::Null).unwrap();
            due(cron_job, &schedule, now.parse().unwrap()).map(time::format)
        };
        assert_eq!(due(&cron_job(None), "2026-11-22T05:59:59Z"), None);
        assert_eq!(due(&cron_job(None), "2026-11-22T06:40:00Z").as_deref(), Some("2026-11-22T06:00:00Z"));
        assert_eq!(due(&cron_job(Some(60)), "2026-11-22T06:40:00Z"), None);
        assert_eq!(due(&cron_job(Some(60)), "2026-11-22T06:00:59Z").as_deref(), Some("2026-11-22T06:00:00Z"));
        let mut done = cron_job(None);
        done["status"]["lastScheduleTime"] = json!("2026-11-22T06:00:00Z");
        assert_eq!(due(&done, "2026-11-22T06:40:00Z"), None);
        assert_eq!(
            due(&cron_job(Some(i64::MAX)), "2026-11-22T06:40:00Z").as_deref(),
            Some("2026-11-22T06:00:00Z")
        );
    }
}
