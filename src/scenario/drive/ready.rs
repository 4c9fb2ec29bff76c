//! Before the load: the replicas and the workers that the scenario asks for.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use records::{Scenario, Unmeasured, UnmeasuredKind};
use tokio::time::Instant;

use super::{Drive, LOOK_EVERY};
use crate::cluster::{Unready, await_ready, explain, pods_of, scale};
use crate::events::{Progress, many};
use crate::exit::{Error, Result};
use crate::load::{LoadGenerator, Snapshot};
use crate::scenario::counts::{self, LOAD};
use crate::scenario::machine::Event;
use crate::scenario::routable::await_routable;
use crate::scenario::setup::{DEADMAN, Setup};
use crate::wait::{Condition, TimedOut, poll};

/// Workers that are ready but not on Locust's list after this are started anew. A worker that was killed
/// leaves the list after 30 s by itself.
const LISTED_WITHIN: Duration = Duration::from_secs(40);

impl<L: LoadGenerator + Sync> Drive<'_, L> {
    pub(super) async fn scale(&mut self) -> Result<(), Event> {
        let begun = Instant::now();
        let Setup { cluster, inference, workers, .. } = self.setup;
        tokio::try_join!(
            scale(cluster, &inference.name, self.scenario.replicas),
            scale(cluster, &workers.name, self.scenario.workers),
        )?;
        self.note("scale", begun.elapsed());
        Ok(())
    }

    pub(super) async fn await_ready(&mut self) -> Result<(), Event> {
        let begun = Instant::now();
        let replicas = async { (self.await_replicas().await, begun.elapsed()) };
        let workers = async { (self.await_workers().await, begun.elapsed()) };
        let ((replicas, replicas_took), (workers, workers_took)) = tokio::join!(replicas, workers);
        replicas?;
        workers?;
        self.before.workers = pods_of(&self.setup.cluster, &self.setup.workers).await?;
        self.before.pods = pods_of(&self.setup.cluster, &self.setup.inference).await?;
        let routing = Instant::now();
        self.await_routable().await?;
        self.note("route", routing.elapsed());
        let place = &self.setup.config.inference.metrics;
        self.before.counts = counts::ask(&self.setup.reach, &self.before.pods, place, LOAD).await;
        self.note("replicas", replicas_took);
        self.note("workers", workers_took);
        let Scenario { replicas, workers, .. } = *self.scenario;
        let words = format!("{} and {} ready", many(replicas, "replica"), many(workers, "worker"));
        self.took("ready", begun, words);
        Ok(())
    }

    async fn await_replicas(&self) -> Result<(), Event> {
        let Setup { cluster, inference, config, .. } = self.setup;
        let ready =
            await_ready(cluster, inference, self.scenario.replicas, config.timeouts.ready.get()).await;
        ready.map_err(|unready| {
            let kind = match unready {
                Unready::Refused(error) => return Event::Abandoned(error),
                Unready::Unplaced(_) => UnmeasuredKind::NoPlace,
                Unready::Broken(_) | Unready::TimedOut(_) => UnmeasuredKind::Broken,
            };
            Event::Failed(Unmeasured::new(kind, unready.describe(&inference.name)))
        })
    }

    async fn await_routable(&self) -> Result<(), Event> {
        let Setup { reach, config, .. } = self.setup;
        let limit = config.timeouts.ready.get();
        await_routable(reach, &config.inference, &self.before.pods, limit).await.map_err(|timed_out| {
            let words = format!("{} does not lead to every replica {timed_out}", config.inference.url);
            Event::Failed(Unmeasured::new(UnmeasuredKind::Broken, words))
        })
    }

    /// Waits for the workers' Deployment, then for exactly those workers on Locust's own list. Workers
    /// that run but never appear (after a restart of the master, or a stop that went wrong) are
    /// started anew, once.
    async fn await_workers(&self) -> Result<Snapshot, Event> {
        let limit = self.setup.config.timeouts.workers.get();
        self.await_worker_pods(limit).await?;
        if let Ok(snapshot) = self.await_listed(limit.min(LISTED_WITHIN)).await {
            return Ok(snapshot);
        }
        self.setup.events.tell(Progress::WorkersRestarted { wanted: self.scenario.workers });
        self.delete_workers().await?;
        self.await_worker_pods(limit).await?;
        self.await_listed(limit).await.map_err(|timed_out| {
            let wanted = self.scenario.workers;
            let error =
                Error::cluster(format!("Locust does not list exactly {wanted} idle workers {timed_out}"));
            let next = "see whether others connect to this master: kubectl logs deployment/locust-master";
            Event::Abandoned(error.next(next))
        })
    }

    async fn await_worker_pods(&self, limit: Duration) -> Result<(), Event> {
        let Setup { cluster, workers, .. } = self.setup;
        let wanted = self.scenario.workers;
        await_ready(cluster, workers, wanted, limit).await.map_err(|unready| match unready {
            Unready::Unplaced(_) => {
                Event::Failed(Unmeasured::new(UnmeasuredKind::NoPlace, unready.describe(&workers.name)))
            }
            Unready::Refused(error) => Event::Abandoned(error),
            Unready::Broken(_) | Unready::TimedOut(_) => {
                let error = Error::cluster(unready.describe(&workers.name));
                let next = format!("look at them with: kubectl describe pods -l {}", workers.selector);
                Event::Abandoned(error.next(next))
            }
        })
    }

    /// Waits until exactly the workers asked for are listed, idle, and answer. The list alone does not
    /// say that: a worker that has died stays on it until enough of its heartbeats are missing.
    async fn await_listed(&self, limit: Duration) -> Result<Snapshot, TimedOut> {
        let wanted = self.scenario.workers;
        poll(limit, LOOK_EVERY, || async {
            let listed = match self.setup.load.snapshot(DEADMAN).await {
                Ok(snapshot) if snapshot.is_idle(wanted) => self.setup.load.cut(DEADMAN).await,
                Ok(snapshot) => return Condition::NotMet(snapshot.describe()),
                Err(error) => Err(error),
            };
            match listed {
                Ok(snapshot) if snapshot.is_idle(wanted) => Condition::Met(snapshot),
                Ok(snapshot) => Condition::NotMet(snapshot.describe()),
                Err(error) => Condition::NotMet(error.message),
            }
        })
        .await
    }

    async fn delete_workers(&self) -> Result<()> {
        let Setup { cluster, workers, .. } = self.setup;
        let pods = cluster.api::<Pod>();
        let found = pods.list(&ListParams::default().labels(&workers.selector)).await;
        let found = found.map_err(|error| explain("list the Locust workers", &error))?;
        for pod in found.items.iter().filter_map(|pod| pod.metadata.name.as_deref()) {
            let deleted = pods.delete(pod, &DeleteParams::default()).await;
            deleted.map_err(|error| explain(&format!("delete pod {pod}"), &error))?;
        }
        Ok(())
    }
}
