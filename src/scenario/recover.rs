//! Makes sure that nothing of an earlier load runs and that the load generator can be used: before the first
//! scenario, and after one that was disturbed.

use std::time::Duration;

use super::setup::{DEADMAN, Setup};
use crate::cluster::{Cluster, delete_pods_of, read_workload};
use crate::config::WorkloadName;
use crate::events::{Events, Progress};
use crate::exit::{Error, Result};
use crate::load::{LoadGenerator, Snapshot, State, Unreached};
use crate::wait::{Condition, poll};

/// How often the API server and the load generator are asked whether they answer.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Waits after a disturbance until the next scenario can be measured.
///
/// # Errors
/// Exit code 4: another driver has the Lease; or the API server or the load generator does not answer within
/// `timeouts.master`, and replacing the load generator's pods did not help.
pub(super) async fn recover<L: LoadGenerator + Sync>(setup: &Setup<L>) -> Result<()> {
    let Setup { cluster, load, config, events, .. } = setup;
    let limit = config.timeouts.master.get();
    events.tell(Progress::Recovering);
    let tell = events.waiting("the API server");
    let answers = poll(limit, ASK_EVERY, &tell, || async {
        cluster.answers().await.map_or_else(Condition::NotMet, Condition::Met)
    });
    answers.await.map_err(|timed_out| {
        Error::cluster(format!("the API server does not answer {timed_out}"))
            .next("check that the cluster runs: kubectl get --raw /readyz")
    })?;
    if let Some(lease) = &setup.lease {
        lease.regain(limit, &events.waiting("the Lease")).await?;
    }
    make_usable(cluster, load, limit, events).await
}

/// Waits until the load generator answers, and stops load that runs. If it does not answer within `limit`, its pods
/// are replaced, once: after some errors of a test script, a Locust master answers nothing useful any more.
///
/// # Errors
/// Exit code 4: it does not answer even then, or it is not ours.
pub async fn make_usable(
    cluster: &Cluster,
    load: &(impl LoadGenerator + Sync),
    limit: Duration,
    events: &Events,
) -> Result<()> {
    match stop_leftover_load(load, limit, events).await {
        Err(error) if !load.deployments().is_empty() => {
            restart(cluster, load, limit, &error, events).await?;
            stop_leftover_load(load, limit, events).await
        }
        ended => ended,
    }
}

/// Replaces the pods of the load generator, and waits until it answers.
///
/// # Errors
/// `why`, if the load generator is not ours; exit code 3 or 4 if its pods cannot be found or deleted; 4 if it does not
/// answer.
pub(super) async fn restart(
    cluster: &Cluster,
    load: &(impl LoadGenerator + Sync),
    limit: Duration,
    why: &Error,
    events: &Events,
) -> Result<()> {
    let deployments = load.deployments();
    if deployments.is_empty() {
        return Err(why.clone());
    }
    events.tell(Progress::GeneratorRestarted {
        generator: load.name().to_owned(),
        reason: why.message.clone(),
    });
    // Other pods may have the same labels, such as those of another team's Locust.
    for name in deployments {
        let workload = read_workload(cluster, &WorkloadName::deployment(name)).await?;
        delete_pods_of(cluster, &workload).await?;
    }
    await_answer(load, limit, events).await.map(drop)
}

async fn stop_leftover_load(
    load: &(impl LoadGenerator + Sync),
    limit: Duration,
    events: &Events,
) -> Result<()> {
    let snapshot = await_answer(load, limit, events).await?;
    let how = snapshot.ended_by_script.as_deref().unwrap_or("runner.quit()");
    if snapshot.has_quit || snapshot.ended_by_script.is_some() && !snapshot.has_no_load() {
        let problem = format!("the test script has called {how}, after which its state is of no use");
        return Err(Error::cluster(problem).next(format!("take {how} out of the test script")));
    }
    if needs_stop(&snapshot) {
        events.tell(Progress::LeftoverLoadStopped { users: snapshot.user_count });
        load.stop().await?;
    }
    Ok(())
}

async fn await_answer(
    load: &(impl LoadGenerator + Sync),
    limit: Duration,
    events: &Events,
) -> Result<Snapshot> {
    let tell = events.waiting(load.name());
    let answered = poll(limit, ASK_EVERY, &tell, || async {
        match load.snapshot(DEADMAN).await {
            Ok(snapshot) => Condition::Met(snapshot),
            Err(error) => Condition::NotMet(error.message),
        }
    });
    answered.await.map_err(|timed_out| load.explain(&Unreached::Answer, &timed_out))
}

/// Whether load runs that nobody is stopping.
fn needs_stop(snapshot: &Snapshot) -> bool {
    snapshot.is_active() && snapshot.state != State::Stopping
}
