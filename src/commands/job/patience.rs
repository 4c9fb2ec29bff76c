//! How long a Job is waited for that does not get on.

use std::time::Duration;

use tokio::time::Instant;

use super::pods::{OtherContainers, Waiting};
use crate::exit::Error;
use crate::objects::JOB;

/// How long the server may refuse the Job's pods. A quota may become free meanwhile.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// A pod that has not started is told after this time, because each pod takes a moment.
const TOLD_AFTER: Duration = Duration::from_secs(10);
/// How long a pod's other containers may run after the driver has ended.
const OTHERS_END_WITHIN: Duration = Duration::from_secs(20);

/// How long the driver's pod may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// From its creation until the driver runs.
    pub(super) ready: Duration,
    /// From a signal until the driver has ended.
    pub(super) stop: Duration,
}

/// What has been waited for, and for how long.
#[derive(Debug)]
pub(super) struct Patience {
    limits: Limits,
    refused_since: Option<Instant>,
    unstarted_since: Option<Instant>,
    others_since: Option<Instant>,
    lost_since: Option<Instant>,
    told: Option<String>,
}

/// What follows from one look at the Job.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// A sentence that the user has not been told yet.
    pub(super) news: Option<String>,
    /// The Job does not get on. Without an error, the driver has ended.
    pub(super) is_over: bool,
    pub(super) error: Option<Error>,
}

impl Patience {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            refused_since: None,
            unstarted_since: None,
            others_since: None,
            lost_since: None,
            told: None,
        }
    }

    /// Looks at why the driver does not run, and at the pod whose driver has ended while others of its
    /// containers have not.
    pub(super) fn look(&mut self, waiting: Option<Waiting>, others: Option<OtherContainers>) -> Outcome {
        let is_refused = matches!(waiting, Some(Waiting::Refused(_)));
        let is_unstarted = matches!(waiting, Some(Waiting::NotStarted(_)));
        let refused = since(&mut self.refused_since, is_refused);
        let unstarted = since(&mut self.unstarted_since, is_unstarted);
        let lost = since(&mut self.lost_since, matches!(waiting, Some(Waiting::Lost(_))));
        let others_run = since(&mut self.others_since, others.is_some());
        if let Some(waiting) = waiting {
            let reason = waiting.reason().to_owned();
            if refused >= Some(REFUSED_FOR) {
                return Outcome::failed(
                    &reason,
                    "add what it asks for to `job` in the settings, such as job.resources or job.labels, or ask the \
                     namespace's owners",
                );
            }
            if unstarted >= Some(self.limits.ready) {
                let seconds = self.limits.ready.as_secs();
                let reason = format!("{reason}; it was waited for {seconds} s (timeouts.ready)");
                let next = format!(
                    "see: kubectl describe pods -l job-name={JOB}; `job` in the settings can give it nodes \
                     (job.nodeSelector, job.tolerations) and a priority"
                );
                return Outcome::failed(&reason, &next);
            }
            if lost >= Some(self.limits.ready) {
                let seconds = self.limits.ready.as_secs();
                let error = Error::cluster(format!(
                    "the driver is lost: {reason}; it was waited for {seconds} s (timeouts.ready)"
                ));
                let next = format!(
                    "its records are kept (locust-matrix fetch), and the Job is suspended; once the node is back or deleted, let it \
                     go on: kubectl patch job {JOB} -p '{{\"spec\":{{\"suspend\":false}}}}'"
                );
                return Outcome { news: None, is_over: true, error: Some(error.next(next)) };
            }
            let key = without_pod(&reason);
            let is_due = is_refused || lost.is_some() || unstarted >= Some(TOLD_AFTER);
            let is_news = self.told.as_ref() != Some(&key) && is_due;
            if is_news {
                self.told = Some(key);
            }
            return Outcome { news: is_news.then(|| format!("waiting: {reason}")), ..Outcome::default() };
        }
        if let Some(OtherContainers { pod, names }) = others.filter(|_| others_run >= Some(OTHERS_END_WITHIN))
        {
            let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            let news = format!(
                "the driver has ended, and other containers of pod {pod} run on{names}; suspending the Job, which \
                 ends them"
            );
            return Outcome { news: Some(news), is_over: true, error: None };
        }
        Outcome::default()
    }
}

impl Outcome {
    fn failed(reason: &str, next: &str) -> Self {
        let error = Error::preflight(format!("the driver does not run: {reason}")).next(next);
        Self { news: None, is_over: true, error: Some(error) }
    }
}

/// The reason without the name of a refused pod, because each try has another name.
fn without_pod(reason: &str) -> String {
    let Some((before, rest)) = reason.split_once("pods \"") else { return reason.to_owned() };
    rest.split_once('"').map_or_else(|| reason.to_owned(), |(_, after)| format!("{before}{after}"))
}

/// How long something has been so. Starts counting when it is seen for the first time.
fn since(begin: &mut Option<Instant>, is_so: bool) -> Option<Duration> {
    *begin = is_so.then(|| begin.unwrap_or_else(Instant::now));
    begin.map(|begin| begin.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;
    use tokio::time::advance;

    const LIMITS: Limits = Limits { ready: Duration::from_mins(3), stop: Duration::from_secs(195) };

    fn refused() -> Waiting {
        Waiting::Refused("pods \"a\" is forbidden: exceeded quota".into())
    }

    fn unstarted() -> Waiting {
        Waiting::NotStarted("pod a cannot be placed: 0/1 nodes".into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_pod_is_told_at_once_and_ends_the_wait_after_30_s() {
        let mut patience = Patience::new(LIMITS);
        assert_eq!(
            patience.look(Some(refused()), None).news.as_deref(),
            Some("waiting: pods \"a\" is forbidden: exceeded quota")
        );
        advance(Duration::from_secs(29)).await;
        let again = Waiting::Refused("pods \"b\" is forbidden: exceeded quota".into());
        let outcome = patience.look(Some(again), None);
        assert!(outcome.news.is_none() && !outcome.is_over, "told once");
        advance(Duration::from_secs(1)).await;
        let error = patience.look(Some(refused()), None).error.unwrap();
        assert_eq!(error.code, ExitCode::Preflight);
        assert_eq!(error.message, "the driver does not run: pods \"a\" is forbidden: exceeded quota");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_without_a_place_ends_the_wait_after_the_ready_timeout() {
        let mut patience = Patience::new(LIMITS);
        assert_eq!(patience.look(Some(unstarted()), None).news, None, "each pod takes a moment");
        advance(Duration::from_secs(179)).await;
        let outcome = patience.look(Some(unstarted()), None);
        assert!(outcome.news.unwrap().contains("0/1 nodes") && !outcome.is_over);
        // It starts, and a later pod has the whole time again.
        assert!(!patience.look(None, None).is_over);
        advance(Duration::from_mins(1)).await;
        assert!(!patience.look(Some(unstarted()), None).is_over);
        advance(Duration::from_mins(3)).await;
        let error = patience.look(Some(unstarted()), None).error.unwrap();
        assert_eq!(error.code, ExitCode::Preflight);
        assert!(error.message.contains("0/1 nodes; it was waited for 180 s"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_whose_node_is_lost_is_told_at_once_and_ends_the_wait_after_the_ready_timeout() {
        let lost = || Some(Waiting::Lost("pod a was evicted".into()));
        let mut patience = Patience::new(LIMITS);
        assert_eq!(patience.look(lost(), None).news.as_deref(), Some("waiting: pod a was evicted"));
        advance(Duration::from_secs(179)).await;
        let outcome = patience.look(lost(), None);
        assert!(outcome.news.is_none() && !outcome.is_over, "told once: {outcome:?}");
        advance(Duration::from_secs(1)).await;
        let error = patience.look(lost(), None).error.unwrap();
        assert_eq!(error.code, ExitCode::Cluster);
        assert!(error.message.contains("is lost: pod a was evicted; it was waited for 180 s"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_that_has_ended_beside_a_running_proxy_ends_the_job() {
        let mut patience = Patience::new(LIMITS);
        let others = || {
            let names = vec!["istio-proxy".to_owned(), "log-agent".to_owned()];
            Some(OtherContainers { pod: "a".into(), names })
        };
        assert!(!patience.look(None, others()).is_over);
        advance(Duration::from_secs(20)).await;
        let outcome = patience.look(None, others());
        assert!(outcome.is_over && outcome.error.is_none());
        let news = outcome.news.unwrap();
        assert!(
            news.contains("other containers of pod a run on: istio-proxy, log-agent; suspending"),
            "{news}"
        );
    }
}
