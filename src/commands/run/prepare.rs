//! Everything that a run needs before its first scenario.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use records::{Environment, Question, Record, Scenario};

use super::super::web_ui::forward_to_master;
use super::arguments::Arguments;
use super::provenance::provenance;
use super::resume::{Origin, origin, refuse_changed_templates, resumed};
use super::service::{limits_of_master, settle_autoscalers, tell_of_killed_run, tell_slow_pods};
use crate::cluster::{Cluster, Lease, LocalPort, PodHttp, PortForward, Workload, pods_of, read_workload};
use crate::config::{Config, WorkloadName};
use crate::events::{Events, PlannedScenario, Progress};
use crate::exit::{Error, Result};
use crate::judge::JudgedRun;
use crate::load::{Capabilities, LoadGenerator, Locust};
use crate::objects::{MASTER, WEB_PORT, WORKERS};
use crate::plan::Plan;
use crate::record::{ConfigMapStore, OriginalReplicas, RecordFile, RunState, Writer};
use crate::scenario::{Run, Seen, Setup, make_usable};

/// What a run may scale.
pub(super) struct Claimed<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) lease: &'a Lease,
    /// The service under test.
    pub(super) target: &'a Workload,
    /// Whether its autoscalers are paused for the run.
    pub(super) pauses: bool,
}

/// A run that can begin.
pub(super) struct Prepared {
    pub(super) setup: Setup<Locust>,
    pub(super) plan: Box<dyn Plan>,
    pub(super) run: Run,
    pub(super) records: Vec<Record>,
    pub(super) file: RecordFile,
    pub(super) store: ConfigMapStore,
    pub(super) folder: PathBuf,
    pub(super) original: OriginalReplicas,
    /// Keeps the forwarded port to Locust open.
    pub(super) _forward: Option<PortForward>,
}

/// Finds the load generator, the service and what is recorded already, and announces the run.
pub(super) async fn prepare(
    &Claimed { cluster, lease, target, pauses }: &Claimed<'_>,
    arguments: &Arguments,
    port: Option<LocalPort>,
    config: Config,
    plan: Box<dyn Plan>,
    events: &Events,
) -> Result<Prepared> {
    let Origin { run_id, folder, recorded } = origin(arguments, events)?;
    let client = crate::http::prober(Duration::from_secs(2))?;
    let longest = longest_load(&config, plan.most_users());
    let (load, forward) = if let Some(url) = &arguments.locust_url {
        let load = Locust::new(url)?;
        let is_ours = arguments.run_id.is_some() || is_of_the_manifests(url);
        (if is_ours { load.of_the_manifests() } else { load }, None)
    } else {
        let forward = forward_to_master(cluster, port, events).await?;
        (Locust::new(&forward.url)?.of_the_manifests(), Some(forward))
    };
    let load = load.with_longest(longest);
    let reach = if is_inside_cluster(arguments, cluster) {
        PodHttp::InsideCluster(client)
    } else {
        PodHttp::OutsideCluster(client, cluster.clone())
    };
    settle_autoscalers(cluster, target, pauses, &config, plan.as_ref(), events).await?;
    let (target_name, workers) = (config.inference.target(), WorkloadName::deployment(WORKERS));
    // The target was read before this driver had the Lease: another one may have scaled it until then.
    let ((), stored, inference, workers, present_pods, master_limits) = tokio::try_join!(
        make_usable(cluster, &load, config.timeouts.master.get(), events),
        ConfigMapStore::read_to_write(cluster, &run_id, config.record.keep),
        read_workload(cluster, &target_name),
        read_workload(cluster, &workers),
        pods_of(cluster, target),
        limits_of_master(cluster),
    )?;
    let capabilities = load.capabilities().await?;
    refuse_impossible_load(plan.as_ref(), &capabilities)?;
    let images: Vec<_> = inference.images().into_iter().chain(workers.images()).collect();
    let plan_hash = plan.hash(&config, &images, &capabilities.version);
    let present = OriginalReplicas { inference: inference.replicas, workers: workers.replicas };
    let left = stored.left_by_another_run(&run_id, &inference.id());
    if let Some(original) = left.filter(|original| *original != present) {
        tell_of_killed_run(&inference, original, events);
    }
    let fresh = RunState {
        run_id: run_id.clone(),
        plan_hash,
        original: left.unwrap_or(present),
        restores: None,
        began: Some(Timestamp::now()),
    };
    let (state, records) = resumed(&stored, recorded, fresh)?;
    let templates = [&inference, &workers].map(|one| (one.id(), one.template.clone())).into();
    refuse_changed_templates(&records, &templates)?;
    let state = RunState { restores: Some(inference.id()), ..state };
    let seen = Seen::of(&records);
    // Before anything is scaled. Without a replica, the first scenario finds out.
    seen.note_images(&present_pods)?;
    tell_slow_pods(&inference, &config, events);
    let file = RecordFile::create(&folder.join(records::FILE_NAME), &records)?;
    let writer = writer(lease, arguments, events);
    let store = ConfigMapStore::begin(cluster, writer, stored, &state, &records).await?;
    if let Some(caveat) = &capabilities.caveat {
        events.tell(Progress::GeneratorCaveat { caveat: caveat.clone() });
    }
    let recorded: Vec<&str> = records.iter().map(|record| record.scenario.id.as_str()).collect();
    events.tell(Progress::RunStarted {
        run_id: run_id.clone(),
        scenarios: plan.total(),
        recorded: records.len(),
        expected_s: plan.remaining(&config, &recorded).as_secs_f64(),
        generator: capabilities.name.clone(),
        target: config.inference.url.clone(),
        plan: planned(plan.scenarios(), &records),
    });
    let worker_pods = pods_of(cluster, &workers).await.unwrap_or_default();
    let environment = Environment {
        cluster: arguments.cluster_kind.clone(),
        target: config.inference.url.clone(),
        primary: config.inference.primary.clone(),
        images: images.into_iter().collect(),
        image_ids: BTreeMap::new(),
        templates,
        limits: master_limits,
        generator: capabilities.name.clone(),
        percentile_digits: capabilities.percentile_digits,
        order_seed: config.is_shuffled().then_some(config.seed),
        question: Question { planned: plan.scenarios().map(<[_]>::len), ..config.question() },
        provenance: provenance(cluster, present_pods.iter().chain(&worker_pods), &config).await,
    };
    let setup = Setup {
        cluster: cluster.clone(),
        load,
        capabilities,
        config,
        inference,
        workers,
        environment,
        reach,
        lease: Some(lease.clone()),
        events: events.clone(),
        seen,
    };
    let run = Run { run_id, plan_hash: state.plan_hash };
    let original = state.original;
    Ok(Prepared { setup, plan, run, records, file, store, folder, original, _forward: forward })
}

fn writer(lease: &Lease, arguments: &Arguments, events: &Events) -> Writer {
    // In a pod, the Job gives the run its id.
    let is_pod = arguments.run_id.is_some();
    Writer { holder: lease.holder().to_owned(), is_pod, events: events.clone() }
}

/// The scenarios of the plan with the status of those that are recorded; of a search, those that are recorded.
fn planned(plan: Option<&[Scenario]>, records: &[Record]) -> Vec<PlannedScenario> {
    let judged = JudgedRun::of(records);
    let recorded: Vec<Scenario> = judged.rows.iter().map(|row| row.record.scenario.clone()).collect();
    let with_status = |scenario: &Scenario| {
        let row = judged.row(&scenario.id).filter(|_| !judged.is_unfinished(&scenario.id));
        let status = row.map(|row| row.judgement.verdict.status().to_owned());
        PlannedScenario { status, ..scenario.into() }
    };
    plan.unwrap_or(&recorded).iter().map(with_status).collect()
}

/// Whether this address is that of the manifests' Locust, which only pods of its namespace can use.
fn is_of_the_manifests(url: &str) -> bool {
    url.trim_end_matches('/') == format!("http://{MASTER}:{WEB_PORT}")
}

/// Whether this program runs in a pod and can reach other pods by their addresses. Only a Job has a run id from
/// outside. A Locust may also be given by an address from outside, such as that of a node's port.
fn is_inside_cluster(arguments: &Arguments, cluster: &Cluster) -> bool {
    arguments.run_id.is_some()
        || arguments.locust_url.as_deref().is_some_and(is_of_the_manifests)
        || cluster.is_our_pods_own()
}

/// Refuses a plan before anything is measured, if the load generator or its test script can run none of it.
///
/// # Errors
/// Exit code 2: see [`Capabilities::open_model`] and [`Script`](crate::load::Script).
fn refuse_impossible_load(plan: &dyn Plan, capabilities: &Capabilities) -> Result<()> {
    if plan.is_open() {
        capabilities.open_model.clone()?;
    }
    let script = &capabilities.script;
    let (why, next) = match (script.refuses_every_load(), plan.scenarios()) {
        (Some(why), _) => (why, "take the class out of the locustfile, or import it only where it is used"),
        (None, Some(scenarios)) => {
            let mut refusals = scenarios.iter().map(|scenario| script.refuses(scenario.users));
            let Some(Some(why)) = refusals.next().filter(Option::is_some) else { return Ok(()) };
            if refusals.any(|refusal| refusal.is_none()) {
                return Ok(()); // the others are FAILED one by one
            }
            (why, "change fixed_count in the locustfile, or the users of the matrix")
        }
        // A search begins with few users, and looks for more.
        (None, None) => match script.refuses(plan.most_users()) {
            Some(why) => (why, "a search needs classes of users without a fixed_count in the locustfile"),
            None => return Ok(()),
        },
    };
    Err(Error::usage(why).next(next))
}

/// A time that no scenario's load exceeds: ramp, warm-up, measurement, and a minute for the cuts.
fn longest_load(config: &Config, most_users: u32) -> Duration {
    // A few users may take longer than a tenth of them per second would.
    let ramp = (f64::from(most_users) / config.spawn_rate_for(most_users)).max(10.0);
    let rest = [config.timeouts.ramp.get(), config.warmup.get(), config.longest(), Duration::from_mins(1)];
    Duration::from_secs_f64(ramp) + rest.iter().sum::<Duration>()
}

#[cfg(test)]
mod tests;
