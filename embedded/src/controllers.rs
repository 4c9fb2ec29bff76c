//! The controllers: each watches some kinds, and brings the cluster towards the state they describe.

mod accounts;
mod cron_job;
mod deployment;
mod endpoints;
mod garbage;
mod job;
mod node;
mod pods;
mod replica_set;
mod scheduler;
mod stateful_set;

use crate::control_loop;
use crate::store::Store;
use crate::tasks::Tasks;
use cron_job::Admit;

/// Starts all controllers. `admit` is the admission of new objects. They stop when the tasks are dropped.
pub(crate) fn start(store: &Store, admit: Admit) -> Tasks {
    node::register(store);
    let mut tasks = Tasks::default();
    tasks.spawn("ServiceAccount controller", control_loop::run(store.clone(), accounts::Accounts));
    tasks.spawn("Deployment controller", control_loop::run(store.clone(), deployment::Deployments));
    tasks.spawn("ReplicaSet controller", control_loop::run(store.clone(), replica_set::ReplicaSets));
    tasks.spawn("StatefulSet controller", control_loop::run(store.clone(), stateful_set::StatefulSets));
    tasks.spawn("Job controller", control_loop::run(store.clone(), job::Jobs::default()));
    tasks.spawn("CronJob controller", control_loop::run(store.clone(), cron_job::CronJobs { admit }));
    tasks.spawn("EndpointSlice controller", control_loop::run(store.clone(), endpoints::EndpointSlices));
    tasks.spawn("garbage collector", control_loop::run(store.clone(), garbage::GarbageCollector));
    tasks.spawn("scheduler", control_loop::run(store.clone(), scheduler::Scheduler));
    tasks
}
