//! Whether the Service routes requests to its replicas.
//!
//! A ready replica is in the Service's endpoints at once, but the network rules follow a moment later. Until
//! then, requests still go to replicas that are gone, and none to new ones.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::counts;
use crate::cluster::{PodHttp, PodSummary};
use crate::config::{Inference, Probe};
use crate::http::PRODUCT;
use crate::wait::{Condition, Tell, TimedOut, poll, with_causes};

/// How long the replicas' counters may keep the load waiting when every request is answered. Network rules follow
/// within a few seconds. After that, the counters may count otherwise, and the report shows which replica is idle.
const SEEN_WITHIN: Duration = Duration::from_secs(15);
/// A port that speaks another protocol than HTTP for this long will not begin to speak it. A proxy may close
/// connections for a moment while the service starts.
const ANOTHER_PROTOCOL_FOR: Duration = Duration::from_secs(8);
/// A connection to a port whose protocol is not known must open within this time.
const OPENS_WITHIN: Duration = Duration::from_secs(2);

/// Sends requests to the Service until all of them are answered, and until every replica has counted one, if the
/// replicas count what this program sends. Returns a note about a replica that has counted none. From outside the
/// cluster the Service cannot be reached, so this returns at once.
pub(super) async fn await_routable(
    reach: &PodHttp,
    inference: &Inference,
    pods: &[PodSummary],
    limit: Duration,
    tell: &Tell<'_>,
) -> Result<Option<String>, TimedOut> {
    let PodHttp::InsideCluster(client) = reach else { return Ok(None) };
    let probe = inference.probe();
    // With 4 requests per replica, a round misses one of 8 replicas in 1 of 70 cases; another round follows.
    let requests = pods.len().max(1) * 4;
    let seen = Mutex::new(Seen::default());
    let started = Instant::now();
    let routable = poll(limit, Duration::from_millis(50), tell, || async {
        let before = counts::read(reach, pods, inference).await;
        let answers = join_all((0..requests).map(|_| send(client, &probe))).await;
        let problem = answers.into_iter().find_map(Result::err);
        if let Ok(mut seen) = seen.lock()
            && seen.speaks_another_protocol(problem.as_deref())
        {
            return Condition::Met(Err(problem.unwrap_or_default()));
        }
        if let Some(problem) = problem {
            return Condition::NotMet(problem);
        }
        let after = counts::read(reach, pods, inference).await;
        let path = inference.probe_path();
        let reached = pods.iter().filter(|pod| {
            let new = counts::difference(before.get(&pod.name), after.get(&pod.name)).unwrap_or_default();
            // Reading the metrics is a request, too, but to another endpoint.
            new.keys().any(|series| series.caller.as_deref() == Some(PRODUCT) && series.endpoint == path)
        });
        let Ok(mut seen) = seen.lock() else { return Condition::Met(Ok(None)) };
        match seen.verdict(pods, reached.map(|pod| pod.name.clone())) {
            Condition::Met(note) => Condition::Met(Ok(note)),
            Condition::NotMet(problem) => Condition::NotMet(problem),
        }
    });
    routable.await?.map_err(|last_seen| TimedOut { after: started.elapsed(), last_seen })
}

/// The replicas that have counted a request of this program.
#[derive(Default)]
struct Seen {
    pods: BTreeSet<String>,
    /// When all requests of a round were answered for the first time.
    since: Option<Instant>,
    /// Since when every round has met another protocol.
    another_protocol_since: Option<Instant>,
}

impl Seen {
    /// Whether rounds have met another protocol for long enough; `problem` is that of the latest one.
    fn speaks_another_protocol(&mut self, problem: Option<&str>) -> bool {
        if !problem.is_some_and(is_another_protocol) {
            self.another_protocol_since = None;
            return false;
        }
        self.another_protocol_since.get_or_insert_with(Instant::now).elapsed() >= ANOTHER_PROTOCOL_FOR
    }

    /// What to do after a round whose requests were all answered.
    fn verdict(
        &mut self,
        pods: &[PodSummary],
        reached: impl Iterator<Item = String>,
    ) -> Condition<Option<String>> {
        self.pods.extend(reached);
        let since = *self.since.get_or_insert_with(Instant::now);
        // Counters that count none of these requests say nothing about the way to the replicas.
        let unseen = pods.iter().find(|pod| !self.pods.contains(&pod.name));
        match unseen.filter(|_| !self.pods.is_empty()) {
            None => Condition::Met(None),
            Some(pod) if since.elapsed() < SEEN_WITHIN => {
                Condition::NotMet(format!("{} gets no requests", pod.name))
            }
            Some(pod) => Condition::Met(Some(format!(
                "{} has counted no request within {} s, though all were answered; it is measured nevertheless",
                pod.name,
                SEEN_WITHIN.as_secs()
            ))),
        }
    }
}

/// Every answer without a server error comes from a replica, even if it asks for a password.
async fn send(client: &reqwest::Client, probe: &Probe) -> Result<(), String> {
    match probe {
        Probe::Http(url) => {
            let response = client.get(url).send().await.map_err(|error| with_causes(&error))?;
            if response.status().is_server_error() {
                Err(format!("{url} answers {}", response.status()))
            } else {
                Ok(())
            }
        }
        Probe::Tcp(address) => match timeout(OPENS_WITHIN, TcpStream::connect(address)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("{address}: {error}")),
            Err(_) => Err(format!("{address}: no connection within {} s", OPENS_WITHIN.as_secs())),
        },
    }
}

/// Whether a request has failed because the port closed the connection, or answered with bytes that are no HTTP.
fn is_another_protocol(problem: &str) -> bool {
    let words = ["connection closed before message completed", "invalid HTTP", "SendRequest", "parse"];
    words.iter().any(|words| problem.contains(words))
}

/// What to tell the user if the service was not reached.
pub(super) fn unreached(inference: &Inference, timed_out: &TimedOut) -> String {
    let (asked, setting) = match inference.probe() {
        Probe::Http(url) if inference.health.is_some() => (url, "inference.health"),
        Probe::Http(url) => (url, "inference.url and inference.readiness_path"),
        Probe::Tcp(address) => (address, "inference.url"),
    };
    let seen = &timed_out.last_seen;
    let advice = if is_another_protocol(seen) {
        "; what answers there does not speak HTTP: set inference.health to the service's health page, such as \
         http://:8000/v2/health/ready"
            .to_owned()
    } else if ["timed out", "no connection within"].iter().any(|words| seen.contains(words)) {
        // Refused connections end at once. Only what is dropped takes this long.
        "; its packets may be dropped: does a NetworkPolicy admit pods with app=locust to the service?"
            .to_owned()
    } else {
        format!("; {setting} must lead to the service")
    };
    format!("{asked} does not answer as it should {timed_out}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> PodSummary {
        PodSummary { name: name.into(), ..PodSummary::default() }
    }

    fn is_met(condition: &Condition<Option<String>>) -> bool {
        matches!(condition, Condition::Met(None))
    }

    #[tokio::test(start_paused = true)]
    async fn replicas_that_count_are_waited_for_until_each_has_counted_once() {
        let pods = [pod("a"), pod("b")];
        let mut seen = Seen::default();
        let first = seen.verdict(&pods, ["a".to_owned()].into_iter());
        assert!(matches!(first, Condition::NotMet(text) if text == "b gets no requests"));
        assert!(is_met(&seen.verdict(&pods, ["b".to_owned()].into_iter())), "in another round");
    }

    #[tokio::test(start_paused = true)]
    async fn routability_does_not_depend_on_counters() {
        let pods = [pod("a"), pod("b")];
        assert!(is_met(&Seen::default().verdict(&pods, std::iter::empty())), "they count nothing of ours");
        let mut seen = Seen::default();
        assert!(matches!(seen.verdict(&pods, ["a".to_owned()].into_iter()), Condition::NotMet(_)));
        tokio::time::advance(SEEN_WITHIN).await;
        let late = seen.verdict(&pods, ["a".to_owned()].into_iter());
        assert!(matches!(late, Condition::Met(Some(note)) if note.starts_with("b has counted no request")));
    }

    #[tokio::test]
    async fn a_port_that_speaks_another_protocol_ends_the_wait_early() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // It reads a request, and closes the connection as a server of another protocol does.
        let server = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let _ = tokio::io::AsyncReadExt::read(&mut connection, &mut [0; 1024]).await;
            }
        });
        let reach = PodHttp::InsideCluster(crate::http::client(Duration::from_secs(5)).unwrap());
        let inference = Inference { url, ..Inference::default() };
        let limit = Duration::from_mins(3);
        let timed_out =
            await_routable(&reach, &inference, &[], limit, &crate::wait::silent).await.unwrap_err();
        server.abort();
        assert!(timed_out.after < limit / 4, "{timed_out}");
        assert!(unreached(&inference, &timed_out).contains("does not speak HTTP"), "{timed_out}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_that_closes_connections_for_a_moment_is_waited_for() {
        let mut seen = Seen::default();
        let closed = Some("connection closed before message completed");
        assert!(!seen.speaks_another_protocol(closed));
        tokio::time::advance(ANOTHER_PROTOCOL_FOR / 2).await;
        assert!(!seen.speaks_another_protocol(Some("answers 503")));
        tokio::time::advance(ANOTHER_PROTOCOL_FOR).await;
        assert!(!seen.speaks_another_protocol(closed), "the time begins anew");
        tokio::time::advance(ANOTHER_PROTOCOL_FOR).await;
        assert!(seen.speaks_another_protocol(closed));
    }

    #[test]
    fn a_port_that_speaks_another_protocol_is_named_with_the_setting() {
        let inference = Inference { url: "http://triton:8001".into(), ..Inference::default() };
        let seen =
            "error sending request: client error (SendRequest): connection closed before message completed";
        let timed_out = TimedOut { after: Duration::from_secs(30), last_seen: seen.into() };
        let text = unreached(&inference, &timed_out);
        assert!(text.starts_with("http://triton:8001/healthz does not answer"), "{text}");
        assert!(text.contains("does not speak HTTP: set inference.health"), "{text}");
        let dropped =
            TimedOut { last_seen: "error sending request: operation timed out".into(), ..timed_out.clone() };
        assert!(unreached(&inference, &dropped).contains("does a NetworkPolicy admit"));
        let refused = TimedOut { last_seen: "http://triton:8001/healthz answers 503".into(), ..timed_out };
        assert!(unreached(&inference, &refused).ends_with("readiness_path must lead to the service"));
    }
}
