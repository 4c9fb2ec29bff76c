//! The controllers: each watches some kinds, and brings the cluster towards the state they describe.

mod accounts;
mod deployment;
mod endpoints;
mod garbage;
mod job;
mod node;
mod pods;
mod replica_set;
mod scheduler;

use tokio::task::JoinSet;

use crate::control_loop;
use crate::store::Store;

/// Starts all controllers. They stop when the set is dropped.
pub(crate) fn start(store: &Store) -> JoinSet<()> {
    node::register(store);
    let mut tasks = JoinSet::new();
    tasks.spawn(control_loop::run(store.clone(), accounts::Accounts));
    tasks.spawn(control_loop::run(store.clone(), deployment::Deployments));
    tasks.spawn(control_loop::run(store.clone(), replica_set::ReplicaSets));
    tasks.spawn(control_loop::run(store.clone(), job::Jobs::default()));
    tasks.spawn(control_loop::run(store.clone(), endpoints::EndpointSlices));
    tasks.spawn(control_loop::run(store.clone(), garbage::GarbageCollector));
    tasks.spawn(control_loop::run(store.clone(), scheduler::Scheduler));
    tasks
}
